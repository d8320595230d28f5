/** What is in the executable, and under which licences: beside it, and in it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv } from "ajv";
import { weir as runWeir } from "../harness/command.ts";
import { projectFile, root } from "../harness/deployment.ts";
import { builtCommit, builtExecutable } from "../harness/executable.ts";

const timeout = 120_000;

const executable = builtExecutable();

interface Sbom {
  readonly metadata: { readonly component: { readonly name: string; readonly version: string } };
  readonly components: readonly {
    readonly licenses: readonly [{ readonly expression: string }];
    readonly name: string;
    readonly version: string;
    readonly purl: string;
    readonly "bom-ref": string;
  }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

async function built(name: string): Promise<string> {
  return readFileSync(join(await executable, name), "utf8");
}

async function sbom(): Promise<Sbom> {
  return JSON.parse(await built("sbom.cdx.json")) as Sbom;
}

/** A schema that the library of CycloneDX has. */
function schema(name: string): object {
  const path = join(root, "node_modules/@cyclonedx/cyclonedx-library/res/schema", `${name}.SNAPSHOT.schema.json`);
  return JSON.parse(readFileSync(path, "utf8")) as object;
}

test("the bill of materials is one of CycloneDX 1.6, and names weir, its commit and what weir is made of", {
  timeout,
}, async () => {
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema(schema("spdx"), "http://cyclonedx.org/schema/spdx.SNAPSHOT.schema.json");
  ajv.addSchema(schema("jsf-0.82"), "http://cyclonedx.org/schema/jsf-0.82.SNAPSHOT.schema.json");
  const validate = ajv.compile(schema("bom-1.6"));
  const bom = await sbom();
  assert.ok(validate(bom), JSON.stringify(validate.errors?.slice(0, 5)));
  assert.equal(validate({ ...bom, components: [{ name: "no type" }] }), false);

  const { version, dependencies } = JSON.parse(projectFile("package.json")) as {
    version: string;
    dependencies: Record<string, string>;
  };
  assert.deepEqual(
    [bom.metadata.component.name, bom.metadata.component.version],
    ["weir", `${version}+${builtCommit}`],
  );
  for (const [name, pinned] of Object.entries(dependencies)) {
    assert.ok(
      bom.components.some((each) => each.name === name && each.version === pinned),
      name,
    );
  }
  assert.ok(bom.components.some((each) => each.purl === `pkg:generic/node@${process.versions.node}`));
  const refs = bom.components.map((each) => each["bom-ref"]);
  assert.equal(new Set(refs).size, refs.length);
  assert.deepEqual(bom.dependencies, [{ ref: "weir", dependsOn: refs }]);
});

test("the licences are those of weir, of the runtime with what is in it, and of every component", {
  timeout,
}, async () => {
  const text = await built("licenses.txt");
  assert.ok(text.includes(projectFile("LICENSE").trim()));
  for (const { name, version } of (await sbom()).components) {
    const at = text.indexOf(`\n${name} ${version}`);
    assert.ok(at >= 0, `${name} ${version}`);
    assert.match(text.slice(at, at + 2_500), /permission|redistribution|licensed|copyright/i, name);
  }
  // What the runtime itself is made of.
  for (const part of ["libuv", "OpenSSL", "V8", "ICU"]) assert.ok(text.includes(part), part);
});

test("docs/dependencies.md names every licence of a package in the executable", { timeout }, async () => {
  const used = [...new Set((await sbom()).components.map(({ licenses }) => licenses[0].expression))].sort();
  const named = /packages in the executable are under (.+?)\. /.exec(projectFile("docs/dependencies.md"))?.[1];
  assert.equal(used.join(", ").replace(/, ([^,]+)$/, " or $1"), named);
});

test("weir licenses prints them, and with --sbom the bill of materials", { timeout }, async () => {
  const weir = join(await executable, "weir");
  const run = (...args: string[]): string =>
    execFileSync(weir, ["licenses", ...args], { encoding: "utf8", maxBuffer: 16 * 1024 ** 2 });
  assert.equal(run(), await built("licenses.txt"));
  assert.equal(run("--sbom"), await built("sbom.cdx.json"));
});

test("weir licenses from source says where they are", { timeout }, async () => {
  const { code, stderr } = await runWeir(["licenses"]);
  assert.equal(code, 1);
  assert.match(stderr, /npm run build/);
});
