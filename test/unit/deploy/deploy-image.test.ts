/**
 * The Dockerfile, as far as it can be judged without an engine: what it names exists, and the image has no rights that
 * it does not need.
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DockerfileParser, type Instruction, type JSONInstruction } from "dockerfile-ast";
import { commandMistake, projectFile, projectVersion, root } from "../../harness/deployment.ts";

const dockerfile = DockerfileParser.parse(projectFile("Dockerfile"));
const instructions = dockerfile.getInstructions();
const stages = dockerfile.getFROMs();
const finalStage = instructions.slice(instructions.findLastIndex((each) => each.getKeyword() === "FROM"));

/** What follows the keyword, of the last such instruction in the final image. */
function last(keyword: string): Instruction {
  const found = finalStage.findLast((each) => each.getKeyword() === keyword);
  assert.ok(found, `the final image has ${keyword}`);
  return found;
}

function jsonOf(instruction: Instruction): string[] {
  return (instruction as JSONInstruction).getJSONStrings().map((each) => JSON.parse(each.getValue()) as string);
}

function scriptOf(instruction: Instruction): string {
  return instruction.getRawArgumentsContent() ?? "";
}

test("each base image is named with a tag that is no moving one", () => {
  assert.equal(stages.length, 2);
  for (const stage of stages) assert.match(stage.getImageTag() ?? "", /^(?!latest$).+/);
});

test("the final image runs as a user without rights, which its data folder belongs to", () => {
  const user = scriptOf(last("USER"));
  assert.match(user, /^[1-9]\d*:[1-9]\d*$/);
  const [volume = ""] = last("VOLUME")
    .getArguments()
    .map((each) => each.getValue());
  const runs = instructions.filter((each) => each.getKeyword() === "RUN").map(scriptOf);
  assert.ok(runs.some((each) => each.includes(`chown ${user} /image${volume}`)));
});

test("what is copied from the project exists, and .dockerignore lets it through", () => {
  const [, ...allowed] = projectFile(".dockerignore").trim().split("\n");
  const copies = dockerfile.getCOPYs().filter((each) => each.getFromFlag() === null);
  const sources = copies.flatMap((each) =>
    each
      .getArguments()
      .slice(0, -1)
      .map((source) => source.getValue()),
  );
  assert.ok(sources.length > 0);
  for (const source of sources) {
    assert.ok(existsSync(join(root, source)), source);
    assert.ok(allowed.includes(`!${source}`), `.dockerignore excludes ${source}`);
  }
  assert.deepEqual(new Set(sources), new Set(allowed.map((each) => each.slice(1))));
});

test("it has the licences of all that is in it, and the bill of materials", () => {
  const runs = instructions.filter((each) => each.getKeyword() === "RUN").map(scriptOf);
  const copied = runs.find((each) => each.includes("cp dist/weir")) ?? "";
  for (const file of ["dist/licenses.txt", "dist/sbom.cdx.json", "/usr/share/doc/libatomic1/copyright"]) {
    assert.ok(copied.includes(file), file);
  }
});

test("the npm scripts that it runs exist", () => {
  const { scripts } = JSON.parse(projectFile("package.json")) as { scripts: Record<string, string> };
  const names = instructions.flatMap((each) =>
    [...scriptOf(each).matchAll(/npm run ([\w-]+)/g)].map(([, name]) => name),
  );
  assert.deepEqual(names, ["build"]);
  for (const name of names) assert.ok(name !== undefined && scripts[name] !== undefined);
});

test("it starts a node and asks for its health with commands that there are, on one configuration", () => {
  const start = [...jsonOf(last("ENTRYPOINT")), ...jsonOf(last("CMD"))];
  const [health] = finalStage.filter((each) => each.getKeyword() === "HEALTHCHECK");
  assert.ok(health);
  const check = JSON.parse(/CMD\s+(\[.*\])$/s.exec(scriptOf(health))?.[1] ?? "[]") as string[];
  for (const [program, ...args] of [start, check]) {
    assert.equal(program, "weir");
    assert.equal(commandMistake(args), undefined);
  }
  assert.equal(check.at(-1), start.at(-1));
  assert.equal(scriptOf(last("STOPSIGNAL")), "SIGTERM");
});

test("its labels name the version of package.json and the standard names", () => {
  const args = finalStage.filter((each) => each.getKeyword() === "ARG").map(scriptOf);
  assert.ok(args.includes(`WEIR_VERSION=${projectVersion}`));
  const labels = scriptOf(last("LABEL"));
  for (const name of ["title", "description", "licenses", "version", "revision"]) {
    assert.match(labels, new RegExp(`org\\.opencontainers\\.image\\.${name}=`));
  }
});
