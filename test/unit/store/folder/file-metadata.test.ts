/** The file beside a body: what is written is read again, and what is no such file is taken for none. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type FileState,
  formatMetadata,
  parseMetadata,
  parseName,
} from "../../../../src/store/folder/file-metadata.ts";

const state: FileState = { tag: "t", headers: { a: "b" }, size: 3, md5: "m", inode: "1", modifiedNs: "2" };

test("metadata is read as it was written", () => {
  const states = [{ ...state, version: "v", upload: "u" }, state];
  const bytes = formatMetadata("a/b", states);
  assert.deepEqual(parseMetadata(bytes), states);
  assert.equal(parseName(bytes), "a/b");
});

test("a file with anything else in it is no metadata", () => {
  const whole = { format: 1, name: "a", states: [state] };
  const others: unknown[] = [null, 1, [], {}, { ...whole, format: 2 }, { ...whole, name: 1 }];
  for (const states of [undefined, {}, [], [state, state, state], [null], [[]]]) others.push({ ...whole, states });
  for (const key of ["tag", "headers", "size", "md5", "inode", "modifiedNs"]) {
    others.push(
      { ...whole, states: [{ ...state, [key]: undefined }] },
      { ...whole, states: [{ ...state, [key]: [] }] },
    );
  }
  for (const part of [{ version: 1 }, { upload: 1 }, { headers: { a: 1 } }, { size: -1 }, { size: 0.5 }]) {
    others.push({ ...whole, states: [{ ...state, ...part }] });
  }
  for (const other of others) {
    const bytes = Buffer.from(JSON.stringify(other));
    assert.deepEqual([parseMetadata(bytes), parseName(bytes)], [[], undefined], bytes.toString());
  }
  assert.deepEqual(parseMetadata(formatMetadata("a", [state]).subarray(0, 40)), []);
});
