/** The licences of everything in an executable, as one text, and the bill of materials that names it all. */

import type { BundledPackage } from "./packages.ts";
import { runtimeVersion } from "./targets.ts";

export interface Contents {
  /** With its commit. */
  readonly version: string;
  readonly packages: readonly BundledPackage[];
  /** weir's own. */
  readonly ownLicense: string;
  /** The runtime's, with those of what is in it. */
  readonly runtimeLicense: string;
}

const rule = `\n\n${"=".repeat(80)}\n`;

export function licensesText({ packages, ownLicense, runtimeLicense }: Contents): string {
  const parts = [
    `weir is under the licence that follows. It contains Node.js ${runtimeVersion} and ${packages.length} packages, under their own licences.\n\n${ownLicense.trim()}`,
    ...packages.map(({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text}`),
    `node ${runtimeVersion}\n\n${runtimeLicense.trim()}`,
  ];
  return `${parts.join(rule)}\n`;
}

/** CycloneDX 1.6. It has no time and no serial number: the same commit makes the same bytes. */
export function sbomText({ version, packages }: Contents): string {
  const components = [
    ...packages.map(({ name, version: own, license, sha512 }) => ({
      type: "library",
      "bom-ref": `${name}@${own}`,
      name,
      version: own,
      hashes: [{ alg: "SHA-512", content: Buffer.from(sha512, "base64").toString("hex") }],
      licenses: [{ expression: license }],
      purl: `pkg:npm/${name.replace("@", "%40")}@${own}`,
    })),
    {
      type: "platform",
      "bom-ref": `node@${runtimeVersion}`,
      name: "node",
      version: runtimeVersion,
      licenses: [{ expression: "MIT" }],
      purl: `pkg:generic/node@${runtimeVersion}`,
    },
  ];
  const bom = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: { type: "application", "bom-ref": "weir", name: "weir", version, licenses: [{ expression: "MIT" }] },
    },
    components,
    dependencies: [{ ref: "weir", dependsOn: components.map((each) => each["bom-ref"]) }],
  };
  return `${JSON.stringify(bom, null, 2)}\n`;
}
