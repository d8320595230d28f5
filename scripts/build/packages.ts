/** The packages that are in the bundle, by esbuild's own account, with their licences. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** As SPDX writes it. */
  readonly license: string;
  /** The licence's own words, with the notices that go with it. */
  readonly text: string;
  /** The SHA-512 of its archive, in base64. */
  readonly sha512: string;
}

const packageFolder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;
const licenseFile = /^(?:licen[cs]e|copying|notice)(?:[.-].*)?$/i;

/** The packages by name and version. */
export function bundledPackages(root: string, { outputs }: Metafile): BundledPackage[] {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  const folders = new Set<string>();
  for (const [path, { bytesInOutput }] of inputs) {
    const folder = packageFolder.exec(path)?.[0];
    if (folder !== undefined && bytesInOutput > 0) folders.add(folder);
  }
  const found = new Map<string, BundledPackage>();
  for (const folder of [...folders].sort()) {
    const each = readPackage(root, folder);
    found.set(`${each.name}@${each.version}`, each);
  }
  return withTexts([...found.values()]).sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
}

function idOf({ name, version }: BundledPackage): string {
  return `${name}@${version}`;
}

function readPackage(root: string, folder: string): BundledPackage {
  const { name, version, license } = readJson(join(root, folder, "package.json")) as Record<string, unknown>;
  const { packages } = readJson(join(root, "package-lock.json")) as {
    packages: Record<string, { integrity?: string }>;
  };
  // The folder may lie elsewhere, behind a link.
  const locked = packages[folder.slice(folder.indexOf("node_modules/"))];
  const integrity = /^sha512-(.+)$/.exec(locked?.integrity ?? "")?.[1];
  if (typeof name !== "string" || typeof version !== "string" || typeof license !== "string")
    throw new Error(`${folder} does not say its name, version and licence`);
  if (integrity === undefined) throw new Error(`${folder} has no SHA-512 in package-lock.json`);
  const files = readdirSync(join(root, folder)).filter((file) => licenseFile.test(file));
  const texts = files.sort().map((file) => readFileSync(join(root, folder, file), "utf8").trim());
  return { name, version, license, text: texts.join("\n\n"), sha512: integrity };
}

/** Some packages of a family have no licence's text. Another of the family, under the same licence, has it. */
function withTexts(packages: readonly BundledPackage[]): BundledPackage[] {
  return packages.map((each) => {
    if (each.text !== "") return each;
    const scope = each.name.split("/")[0];
    const relative = packages.find(
      ({ name, license, text }) => text !== "" && license === each.license && name.startsWith(`${scope}/`),
    );
    if (relative === undefined) throw new Error(`${each.name} has no text of its licence, ${each.license}`);
    return { ...each, text: relative.text };
  });
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}
