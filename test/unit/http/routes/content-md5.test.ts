/** `Content-MD5`: which headers are one, and that a body in pieces is held to it at its end, and at no other. */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import { announcedMd5, md5Of, requiringMd5 } from "../../../../src/http/routes/content-md5.ts";

const body = Buffer.from("a body in pieces");
const md5 = hash("md5", body);
const other = hash("md5", "another body");

async function* pieces(): AsyncGenerator<Uint8Array, void> {
  for (const byte of body) yield Buffer.of(byte);
}

async function gathered(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString();
}

describe("Content-MD5", () => {
  it("is the base64 of 16 bytes, and nothing else", () => {
    const base64 = Buffer.from(md5, "hex").toString("base64");
    assert.equal(announcedMd5(base64), md5);
    assert.equal(announcedMd5(undefined), undefined);
    const wrong = [
      "",
      "x",
      md5,
      base64.slice(0, -2),
      ` ${base64}`,
      `${base64}, ${base64}`,
      hash("sha1", body, "base64"),
    ];
    // The same bytes, but for bits that mean nothing.
    wrong.push("1B2M2Y8AsgTpgAmY7PhCfh==");
    assert.equal(announcedMd5("1B2M2Y8AsgTpgAmY7PhCfg=="), hash("md5", ""));
    for (const each of wrong) assert.throws(() => announcedMd5(each), { code: "header_invalid" }, each);
  });

  it("refuses a body that has another", () => {
    assert.deepEqual([md5Of(body), md5Of(body, md5)], [md5, md5]);
    assert.throws(() => md5Of(body, other), { code: "body_invalid" });
  });

  it("refuses a body in pieces at its end, if it has another", async () => {
    assert.equal(await gathered(requiringMd5(pieces(), md5)), body.toString());
    await assert.rejects(gathered(requiringMd5(pieces(), other)), { code: "body_invalid" });
  });

  it("says nothing of a body that was not wanted to its end, and hands that on at once, also while a piece is waited for", async () => {
    let end: (result: IteratorReturnResult<void>) => void = () => {};
    const waiting: AsyncIterableIterator<Uint8Array, void> = {
      next: () => new Promise((resolve) => (end = resolve)),
      return() {
        end({ done: true, value: undefined });
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => waiting,
    };
    const checked = requiringMd5(waiting, md5);
    const next = checked.next();
    assert.deepEqual(await checked.return?.(), { done: true, value: undefined });
    assert.deepEqual(await next, { done: true, value: undefined });
  });
});
