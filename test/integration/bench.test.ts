/** Each of the measurements of `npm run bench`, as short as can be: that it still measures, not what. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { suite, test } from "node:test";
import { promisify } from "node:util";
import { comparisons } from "../harness/bench/comparisons.ts";
import { commandOf } from "../harness/packed-modules.ts";
import { root } from "../harness/steps.ts";

/** Not this one: it is `values` with larger ones, and most of its time is wrk's, which knows no tenths of a second. */
const names = Object.keys(comparisons).filter((name) => name !== "large");

void suite("bench", { concurrency: 2 }, () => {
  for (const name of names) {
    test(`bench: a short run of ${name} comes to a figure in each row`, async (t) => {
      const args = [...commandOf("scripts/bench.ts"), "--short", "--only", name];
      // Rejects, with all that was said, unless it ends with 0.
      const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: root, timeout: 120_000 });
      if (stderr.includes("left out")) return t.skip(stderr.trim());
      for (const line of stderr.trim().split("\n").slice(1)) t.diagnostic(line);
      assert.match(stdout, /^A short run, of 1 % /m);
      const rows = stdout
        .split("\n")
        .filter((line) => line.startsWith("| "))
        .slice(2);
      assert.ok(rows.length > 0, stdout);
      for (const row of rows) {
        assert.match(row, /^\| [^|]+ \| (?:p50 )?-?[\d,.]+[^|]* \| [^|]*\| -?[\d.]+[^|]* \|/);
        assert.doesNotMatch(row, /NaN|Infinity|undefined/);
      }
    });
  }
});
