/** What `npm run` starts for those who work on weir says how it is used, and refuses what it does not know. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { root } from "../../harness/steps.ts";

/** A command, an option of it, and an option of it with a wrong value. */
const commands = [
  ["simulate", "--seeds <number>", "--seed=x"],
  ["chaos", "--faults <kinds>", "--faults=none"],
  ["soak", "--minutes <number>", "--minutes=x"],
  ["bench", "--only <names>", "--only=none"],
] as const;

function run(name: string, ...args: string[]): { code: number | null; out: string; err: string } {
  const script = join(root, "scripts", `${name}.ts`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { cwd: root, encoding: "utf8" });
  return { code: status, out: stdout, err: stderr };
}

describe("npm run", () => {
  for (const [name, option, wrong] of commands) {
    it(`${name} -- --help says what it takes; a wrong option is one line and exit code 2`, () => {
      const help = run(name, "--help");
      assert.deepEqual([help.code, help.err], [0, ""]);
      assert.ok(help.out.includes(`Usage: npm run ${name} --`), help.out);
      assert.ok(help.out.includes(option), help.out);
      for (const args of [["--nonsense"], ["nonsense"], [wrong]]) {
        const { code, out, err } = run(name, ...args);
        assert.deepEqual([code, out], [2, ""], args.join());
        assert.match(err, /^.+\n$/, args.join());
      }
    });
  }
});
