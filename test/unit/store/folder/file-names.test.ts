/** Where the folder store puts a name: ordinary ones where people look, no two in one place, none outside. */

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { filePaths, foldName } from "../../../../src/store/folder/file-names.ts";
import { oddNames } from "../../../conformance/blob-store-suite.ts";

test("filePaths leaves an ordinary name as it is", () => {
  for (const name of [
    "photos/cat.png",
    "a",
    "README",
    "ü/日本.png",
    "A b (1)'&+.txt",
    ".hidden",
    "...",
    ".weir/view.json",
  ]) {
    assert.equal(filePaths(name).natural, name);
  }
});

test("filePaths escapes what a file system can't hold", () => {
  const expected: Record<string, string> = {
    "a//b": "a/%-/b",
    "a/": "a/%-",
    "/a": "%-/a",
    "../x": "%2E%2E/x",
    ".": "%2E",
    "a\0b": "a%00b",
    "100%": "100%25",
    "%-": "%25-",
    "a\\b": "a%5Cb",
    "a\nb\u007f": "a%0Ab%7F",
    ".weir/store/x": ".weir/%73tore/x",
    ".WEIR/Store": ".WEIR/%53tore",
  };
  for (const [name, natural] of Object.entries(expected)) assert.equal(filePaths(name).natural, natural);
});

test("filePaths has no natural path for a name with a part, or a whole, that is too long", () => {
  for (const name of ["x".repeat(256), "日".repeat(86), "d/".repeat(351), "\u0001".repeat(100)]) {
    assert.equal(filePaths(name).natural, undefined);
  }
  assert.equal(filePaths("x".repeat(255)).natural, "x".repeat(255));
});

test("filePaths gives no two names one place, and none outside the folder or among the store's own", () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const names = new Set([...oddNames, ...randomNames(seed, 20_000)]);
  const places = new Map<string, string>();
  for (const name of names) {
    const { natural, aside, metadata } = filePaths(name);
    for (const place of [natural, aside, metadata]) {
      if (place === undefined) continue;
      assert.equal(places.get(place), undefined, `${JSON.stringify(name)} is at ${place} too`);
      places.set(place, name);
      assert.equal(path.normalize(place), place);
      assert(!path.isAbsolute(place) && place !== ".." && !place.startsWith("../"));
      for (const part of place.split("/")) assert(part !== "" && Buffer.byteLength(part) <= 255);
    }
    if (natural !== undefined) assert(!foldName(natural).startsWith(".weir/store/"));
  }
});

/** Short names over few characters, all of which matter, so that collisions would show. */
function* randomNames(seed: number, count: number): Generator<string> {
  const letters = ["a", "A", "/", ".", "%", "-", "2", "E", "\0", "\\", "5", "C", ".weir", "store", "\u0001"];
  let state = seed;
  const next = (bound: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  for (let i = 0; i < count; i += 1) {
    let name = "";
    for (let length = 1 + next(7); length > 0; length -= 1) name += letters[next(letters.length)];
    yield name;
  }
}
