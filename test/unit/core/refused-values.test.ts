/** What the store refuses counts for who wrote it, from when it was refused until it is not any more (W28). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { footprint } from "../../../src/core/entry.ts";
import { KeyState } from "../../../src/core/key-state.ts";
import { RefusedValues } from "../../../src/core/refused-values.ts";
import { flightOf } from "../../harness/key-fixtures.ts";

const records = ["k0", "k1", "k2"].map((key) => new KeyState(key, 0)) as [KeyState, KeyState, KeyState];
const [k0, k1, k2] = records;
const bytes = footprint(flightOf(k0).entry);

function refuse(values: RefusedValues, record: KeyState, holder: string | undefined, since = 0): void {
  values.add(record, flightOf(record, since, holder).entry, since);
}

describe("refused values", () => {
  it("count for their holders, and those of nobody for all", () => {
    const values = new RefusedValues();
    refuse(values, k0, "a");
    refuse(values, k1, "b");
    refuse(values, k2, undefined);
    assert.deepEqual(
      [...values.holders()],
      [
        ["a", bytes],
        ["b", bytes],
      ],
    );
    assert.deepEqual([values.size, values.bytes, values.bytesOf("c")], [3, 3 * bytes, 0]);
    assert.deepEqual([values.exampleOf("a"), values.exampleOf("b"), values.exampleOf("c")], ["k0", "k1", undefined]);
    for (const record of records) values.delete(record);
    values.delete(k0);
    assert.deepEqual([...values.holders()], []);
    assert.deepEqual([values.size, values.bytes, values.exampleOf("a")], [0, 0, undefined]);
  });

  it("count once for a key, and for who wrote the state that was refused last", () => {
    const values = new RefusedValues();
    refuse(values, k0, "a", 1);
    refuse(values, k0, "a", 2);
    assert.deepEqual([values.bytesOf("a"), values.since(k0), values.bytes], [bytes, 2, bytes]);
    refuse(values, k0, "b", 3);
    assert.deepEqual([values.bytesOf("a"), values.bytesOf("b"), values.size], [0, bytes, 1]);
  });
});
