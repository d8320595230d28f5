/**
 * Reading a value from the store that breaks off: it goes on where it broke off, with the same value, or it ends (L13).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { isOperatingError, OperatingError } from "../../../../src/base/errors.ts";
import { Downloads } from "../../../../src/member/large/downloads.ts";
import type { ReadSpan } from "../../../../src/store/blob-store.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { SimStream } from "../../../simulation/sim-uploads.ts";

const value = Buffer.from("0123456789abcdef");

/**
 * A store of one blob; `cuts` are the bytes after which its answers break off, one after the other, or that it does not
 * answer.
 */
function trial({ cuts }: { cuts: (number | "away")[] }) {
  const clock = new ManualClock();
  const blob = { tag: "one", body: value };
  const asked: ReadSpan[] = [];
  const downloads = new Downloads({
    store: {
      openBlob: async (_name, tag, span) => {
        asked.push(span);
        await turn();
        const cut = cuts.shift();
        if (cut === "away") throw new OperatingError("store_unavailable", "away");
        if (tag !== blob.tag) return { kind: "changed" };
        return { kind: "found", stream: new SimStream(blob.body.subarray(span.start, span.end), cut) };
      },
    },
    clock,
    settings: { flushDeadlineMs: 1_000 },
  });
  const read = async (start: number, end: number): Promise<string> => {
    const stream = await downloads.open("k", "one", { start, end });
    assert.ok(stream);
    await using _ = stream;
    let text = "";
    let isOver = false;
    const pass = async (): Promise<void> => {
      while (!isOver) {
        clock.advance(50);
        await turn();
      }
    };
    const passing = pass();
    try {
      for await (const chunk of stream) text += Buffer.from(chunk).toString();
    } finally {
      isOver = true;
      await passing;
    }
    return text;
  };
  return { downloads, read, blob, asked, cuts };
}

const unavailable = (error: unknown): boolean => isOperatingError(error, "store_unavailable");

describe("a download that breaks off", () => {
  it("goes on where it broke off, however often, as long as something comes in between", async () => {
    const { read, asked } = trial({ cuts: [3, "away", "away", 1, 0, "away", 2, "away"] });
    assert.equal(await read(2, 14), value.toString().slice(2, 14));
    assert.deepEqual(
      asked.map(({ start }) => start),
      [2, 5, 5, 5, 6, 6, 6, 8, 8],
    );
    assert.ok(asked.every(({ end }) => end === 14));
  });

  it("ends when the value was replaced meanwhile, and never goes on with another one", async () => {
    const { read, blob } = trial({ cuts: [5] });
    const reading = read(0, 16);
    await turn();
    blob.tag = "two";
    blob.body = Buffer.alloc(16, "x");
    await assert.rejects(reading, unavailable);
  });

  it("ends when the store stays away", async () => {
    const { read, cuts } = trial({ cuts: [5, ...Array<"away">(20).fill("away")] });
    await assert.rejects(read(0, 16), unavailable);
    cuts.length = 0;
    assert.equal(await read(0, 16), value.toString());
  });
});
