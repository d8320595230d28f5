/** Where names lie in a container: in what order, and that no two lie at the same place. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { compareText } from "../../../../src/base/text-order.ts";
import {
  asideFolder,
  blobName,
  isHeld,
  prefixFits,
  spell,
  spellBeginning,
  unspell,
} from "../../../../src/store/azure/azure-names.ts";
import { oddNames } from "../../../conformance/blob-store-suite.ts";
import { seedOf } from "../../../harness/seed.ts";
import { SimRandom } from "../../../harness/sim-random.ts";

const letters = ["a", "b", "/", ".", "\0", "\u0001", "\u007f", "\\", "\uffee", "\u{1F600}", "é", "日"];

function randomNames(random: SimRandom, count: number): string[] {
  return Array.from({ length: count }, () => {
    let name = "";
    for (let length = 1 + Math.floor(random.next() * 7); length > 0; length--) {
      name += letters[Math.floor(random.next() * letters.length)];
    }
    return name;
  });
}

test("blobName leaves a plain name as it is, and puts what Azure changes or can't hold aside", () => {
  for (const name of ["photos/cat.png", "a//b", "/", "a/", "100%", "a%2Fb", " a ", ".a/..b", "（１）.png"]) {
    assert.equal(blobName("p/", name), `p/${name}`);
  }
  for (const name of ["a\\b", "a.", "..", "a./b", "\0", "a\u0085", "\ue000", "\ufffe", "\u{1F600}", "/".repeat(300)]) {
    assert(blobName("p/", name).startsWith(`p/${asideFolder}`), JSON.stringify(name));
  }
});

test("blobName puts no two names at one place, each within Azure's limits, behind any prefix that fits", (t) => {
  const names = [...new Set([...oddNames, ...randomNames(new SimRandom(seedOf(t)), 5_000)])];
  for (const prefix of ["", "p", "p/".repeat(100)]) {
    assert(prefixFits(prefix));
    const blobs = new Set(names.map((name) => blobName(prefix, name)));
    assert.equal(blobs.size, names.length);
    for (const blob of blobs) assert(isHeld(blob), blob);
  }
  for (const prefix of ["p".repeat(500), "p/".repeat(252), "a\\b/", "p./"]) assert(!prefixFits(prefix));
});

test("spell keeps the order of UTF-8, what names begin with, and the whole name", (t) => {
  const names = [...oddNames, ...randomNames(new SimRandom(seedOf(t)), 3_000)].sort(compareText);
  for (const [index, name] of names.entries()) {
    const spelled = spell(name);
    assert.equal(unspell(spelled), name);
    const next = names[index + 1];
    if (next !== undefined && next !== name) assert(spelled < spell(next), JSON.stringify([name, next]));
    for (let end = 0; end <= name.length; end++) {
      const beginning = name.slice(0, end);
      if (beginning.isWellFormed()) assert(spelled.startsWith(spellBeginning(beginning)));
    }
  }
});

test("unspell takes nothing for a name that spell does not give", () => {
  for (const text of ["", "1", "abc", "一", "一一", "一一4", "一一0", "一1", `${spell("a")}1`, "\ud800\ud8003"]) {
    assert.equal(unspell(text), undefined, JSON.stringify(text));
  }
});
