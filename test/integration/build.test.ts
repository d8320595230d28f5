/**
 * The executables that `npm run build` makes: this machine's runs a node, another's has its format, and each is what
 * its checksum says.
 */

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestCluster } from "../harness/cluster.ts";
import { buildEnvironment, builtCommit, builtExecutable } from "../harness/executable.ts";

const root = join(import.meta.dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "weir-build-"));
after(() => rmSync(folder, { recursive: true }));

/** What `npm run build -- --list` prints. */
interface Listed {
  readonly runtimeVersion: string;
  readonly targets: readonly {
    readonly name: string;
    readonly platform: "linux" | "darwin" | "win32";
    readonly arch: "x64" | "arm64";
    readonly file: string;
    readonly isHost: boolean;
  }[];
}

const { runtimeVersion, targets } = JSON.parse(
  execFileSync(process.execPath, ["scripts/build.ts", "--list"], { cwd: root, encoding: "utf8" }),
) as Listed;

/** What an executable begins with; two bytes of it say for which processor. */
const formats = {
  linux: { magic: Buffer.from("\u007fELF"), machineAt: () => 18, machines: { x64: 0x3e, arm64: 0xb7 } },
  darwin: { magic: Buffer.from("cffaedfe", "hex"), machineAt: () => 4, machines: { x64: 0x07, arm64: 0x0c } },
  // The offset of the header proper is at 0x3c; its signature, "PE\0\0", is before the processor.
  win32: {
    magic: Buffer.from("MZ"),
    machineAt: (head: Buffer) => head.readUInt32LE(0x3c) + 4,
    machines: { x64: 0x8664, arm64: 0xaa64 },
  },
} as const;

/** Where Debian's packages put the libraries of arm64. */
const arm64Libraries = "/usr/aarch64-linux-gnu";

function build(output: string, args: readonly string[] = []): void {
  execFileSync(process.execPath, ["scripts/build.ts", `--output=${output}`, ...args], {
    cwd: root,
    env: buildEnvironment,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** One node, a value in and out, and an orderly end; the cluster's own end sees that it exits with 0. */
async function servesAndStops(program: readonly string[]): Promise<void> {
  await using cluster = await TestCluster.start({ nodes: 1, program });
  assert.equal((await cluster.put("a", "greeting", "hello")).status, 204);
  assert.equal((await cluster.get("a", "greeting")).body.toString(), "hello");
  const command = [...program, "health", "--config", cluster.configPath];
  const printed = execFileSync(command[0] as string, command.slice(1), { encoding: "utf8" });
  assert.equal(printed, `${cluster.url("a")} is alive\n`);
  assert.deepEqual(await cluster.stopAll(), [{ code: 0, signal: null }]);
}

function headOf(path: string): Buffer {
  const head = Buffer.alloc(4_096);
  readSync(openSync(path, "r"), head);
  return head;
}

test("the executable names its commit, serves a node with its own health check, and ends with 0 on SIGTERM", async () => {
  const output = await builtExecutable();
  const path = join(output, "weir");
  const sums = ["licenses.txt", "sbom.cdx.json", "weir"].map((name) => `${sha256(join(output, name))}  ${name}\n`);
  assert.equal(readFileSync(join(output, "SHA256SUMS"), "utf8"), sums.join(""));
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  assert.equal(execFileSync(path, ["--version"], { encoding: "utf8" }), `${version}+${builtCommit}\n`);
  // Node says so on standard error when it's asked and the cache does not fit.
  const start = spawnSync(path, ["--version"], { env: { NODE_DEBUG_NATIVE: "SEA" }, encoding: "utf8" });
  assert.doesNotMatch(start.stderr, /rejected/);
  await servesAndStops([path]);
});

test("the same commit makes the same bytes, wherever it is built", async () => {
  const other = join(folder, "elsewhere", "other");
  build(other);
  assert.equal(sha256(join(await builtExecutable(), "weir")), sha256(join(other, "weir")));
});

test("what the Dockerfile copies is all that the build needs", () => {
  const context = join(folder, "context");
  const copied = [...readFileSync(join(root, "Dockerfile"), "utf8").matchAll(/^COPY (?!--from)(.+) \S+$/gm)];
  const sources = copied.flatMap(([, names = ""]) => names.split(" "));
  assert.ok(sources.includes("src"));
  for (const source of sources) cpSync(join(root, source), join(context, source), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(context, "node_modules"));
  execFileSync(process.execPath, ["scripts/build.ts"], { cwd: context, stdio: ["ignore", "ignore", "inherit"] });
  assert.ok(existsSync(join(context, "dist", "weir")));
});

test("executables for other systems have those systems' formats, and that for arm64 runs under an emulator", async (context) => {
  const output = join(folder, "others");
  const others = targets.filter(({ name }) => name === "linux-arm64" || name === "windows-x64");
  build(
    output,
    others.map(({ name }) => `--target=${name}`),
  );
  for (const target of others) {
    const path = join(output, target.file);
    const { magic, machineAt, machines } = formats[target.platform];
    const head = headOf(path);
    assert.deepEqual(head.subarray(0, magic.length), magic);
    assert.equal(head.readUInt16LE(machineAt(head)), machines[target.arch]);
  }
  const listed = readFileSync(join(output, "SHA256SUMS"), "utf8").trimEnd().split("\n");
  assert.deepEqual(
    listed,
    ["licenses.txt", "sbom.cdx.json", ...others.map(({ file }) => file)].map(
      (name) => `${sha256(join(output, name))}  ${name}`,
    ),
  );
  const emulated = ["qemu-aarch64", "-L", arm64Libraries, join(output, "weir-linux-arm64")];
  const canRun =
    existsSync(`${arm64Libraries}/lib/libatomic.so.1`) && spawnSync("qemu-aarch64", ["--version"]).status === 0;
  if (process.env["CI"] === "true") assert.ok(canRun, "CI has the emulator");
  if (canRun) await servesAndStops(emulated);
  else context.diagnostic("not run: needs Debian's qemu-user, libatomic1-arm64-cross and libstdc++6-arm64-cross");
});

test("the pinned runtime is the one that the project runs", () => {
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    devDependencies: Record<string, string>;
  };
  assert.equal(runtimeVersion, devDependencies["node"]);
  assert.equal(process.versions.node, runtimeVersion);
  const hosts = targets.filter(({ isHost }) => isHost).map(({ platform, arch }) => `${platform}-${arch}`);
  assert.deepEqual(hosts, [`${process.platform}-${process.arch}`]);
});
