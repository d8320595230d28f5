/** A planted bug is in the code that is loaded, and nowhere else; one whose place is gone is noticed. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Mutation, mutated } from "../../simulation/mutate.ts";
import { mutations } from "../../simulation/mutations.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const edit = { file: "src/core/version.ts", find: "export const noVersion", replace: "export const noVersion" };
const mutation: Mutation = { name: "none", breaks: "nothing", edits: [edit], world: "healthy" };

describe("a planted bug", () => {
  it("replaces what occurs exactly once, edit by edit", () => {
    const sources = mutated({
      ...mutation,
      edits: [
        { ...edit, replace: "export const first" },
        { ...edit, find: "export const first", replace: "export const second" },
      ],
    });
    assert.equal(sources?.size, 1);
    assert.match([...sources.values()].join(), /export const second/);
  });

  it("is stale when what it replaces is not there, or not once", () => {
    assert.equal(mutated({ ...mutation, edits: [{ ...edit, find: "no such thing" }] }), undefined);
    assert.equal(mutated({ ...mutation, edits: [{ ...edit, find: "export " }] }), undefined);
  });

  it("of the list is never stale, and says what it breaks", () => {
    for (const each of mutations) {
      assert.notEqual(mutated(each), undefined, `${each.name} is stale`);
      assert.ok(each.edits.length > 0 && each.breaks.length > 0, each.name);
    }
  });

  it("is in the code that the simulator loads, which tells by its exit code that it has no such bug, or only a stale one", () => {
    const simulate = (...args: string[]): number | null =>
      spawnSync(process.execPath, [join(root, "scripts", "simulate.ts"), "--seeds=1", ...args], { cwd: root }).status;
    assert.equal(simulate("--profile=healthy"), 0);
    assert.equal(
      simulate("--profile=healthy", "--mutation=answer-before-the-replicas-have-it", "--seed=1", "--quiet"),
      0,
    );
    assert.equal(simulate("--mutation=no-such-mutation"), 2);
    assert.equal(simulate("--profile=no-such-profile"), 2);
  });
});
