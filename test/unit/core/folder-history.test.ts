/** Which process is on an earlier state of its data folder, by what the folder's processes have told (V62). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FolderHistory } from "../../../src/core/folder-history.ts";
import type { JournalPosition, PeerIdentity } from "../../../src/core/message.ts";

const at = (segment: number, offset: number): JournalPosition => ({ segment, offset });
const process = (number: number): PeerIdentity => ({ id: "a", incarnation: `a-${number}` });

/** A history in which the first process of a folder has told that its journal has come so far. */
function after(journaled: JournalPosition): FolderHistory {
  const history = new FolderHistory();
  history.onLinkUp(process(1));
  history.hear(process(1), { name: "disk", began: at(1, 0), journaled });
  return history;
}

describe("FolderHistory", () => {
  it("takes the next process for what it is by where its journal began, not by what it has written since", () => {
    for (const [began, isBroughtBack] of [
      [at(3, 49), true],
      [at(2, 1_000), true],
      [at(3, 50), false],
      [at(3, 51), false],
      [at(4, 0), false],
    ] as const) {
      const history = after(at(3, 50));
      history.hear(process(2), { name: "disk", began, journaled: at(9, 0) });
      assert.equal(history.isBroughtBack(process(2)), isBroughtBack, `${began.segment}/${began.offset}`);
      assert.deepEqual(history.broughtBack, isBroughtBack ? ["a-2"] : []);
      assert.equal(history.isBroughtBack(process(1)), false);
    }
  });

  it("finds a process that goes on as it was before, with its memory, by the first word on its next link", () => {
    const history = after(at(3, 50));
    history.onLinkUp(process(1));
    history.hear(process(1), { name: "disk", began: at(1, 0), journaled: at(3, 40) });
    assert.deepEqual(history.broughtBack, ["a-1"]);
  });

  it("ignores an older word that was overtaken on the same link", () => {
    const history = after(at(3, 50));
    history.hear(process(1), { name: "disk", began: at(1, 0), journaled: at(3, 40) });
    assert.deepEqual(history.broughtBack, []);
    history.hear(process(2), { name: "disk", began: at(3, 45), journaled: at(3, 45) });
    assert.deepEqual(history.broughtBack, ["a-2"], "what was told first still counts");
  });

  it("goes by the folder's name: another disk, another node and a folder that nobody knows begin anew", () => {
    const history = after(at(3, 50));
    history.hear(process(2), { name: "new disk", began: at(1, 0), journaled: at(1, 0) });
    assert.deepEqual(history.broughtBack, []);
    // A copy of the folder under another id is not the folder's own process.
    history.hear({ id: "d", incarnation: "d-1" }, { name: "disk", began: at(1, 0), journaled: at(1, 0) });
    assert.deepEqual(history.broughtBack, ["d-1"]);
    history.hear(process(1), { name: "disk", began: at(1, 0), journaled: at(3, 60) });
    assert.equal(history.isBroughtBack(process(1)), false);
  });

  it("remembers a bounded number of folders", () => {
    const history = after(at(3, 50));
    for (let number = 0; number < 1_000; number++)
      history.hear(
        { id: "b", incarnation: `b-${number}` },
        { name: `${number}`, began: at(1, 0), journaled: at(1, 0) },
      );
    history.hear(process(2), { name: "disk", began: at(1, 0), journaled: at(1, 0) });
    assert.deepEqual(history.broughtBack, []);
  });
});
