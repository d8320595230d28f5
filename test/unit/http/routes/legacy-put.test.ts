/**
 * The body of the old API's put is read from its bytes. What is refused costs no turn of the event loop more than a few
 * milliseconds, whatever it has in it. So a few bodies can't keep a node from answering its peers.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeData } from "../../../../src/http/routes/legacy-data.ts";
import { legacyBodyLimit, parseLegacyPut } from "../../../../src/http/routes/legacy-put.ts";
import { Turns } from "../../../../src/http/server/turns.ts";
import { assertShortTurns } from "../../../harness/turn-times.ts";

const timeout = 60_000;
const maxValueBytes = 4 * 1024 ** 2;
const limit = legacyBodyLimit(maxValueBytes);
const head = '{"key":"a","extension":"b","data":"';

/** As many of `unit` as make the body as long as it may be. */
function filled(open: string, unit: string, close: string): Buffer {
  return Buffer.from(open + unit.repeat(Math.floor((limit - open.length - close.length) / unit.length)) + close);
}

function uniqueNames(): Buffer {
  const parts: string[] = [];
  for (let i = 0, length = 0; length < limit - 40; i++) {
    const part = `"${i.toString(36)}":1`;
    parts.push(part);
    length += part.length + 1;
  }
  return Buffer.from(`{${parts.join(",")}}`);
}

const costly: Readonly<Record<string, () => Buffer>> = {
  "nested arrays": () => filled('{"key":[', "[", "}"),
  "nested objects": () => filled('{"a":{', '"a":{', "}"),
  "unique names": uniqueNames,
  "one name over and over": () => filled("{", '"data":"",', '"data":""}'),
  "spaces only": () => filled("{", " ", "}"),
  "a number without an end": () => filled('{"data":', "1", "}"),
  "a key as long as the body": () => filled('{"key":"', "a", '","extension":"b","data":"AA=="}'),
  "an extension as long as the body": () => filled('{"key":"a","data":"AA==","extension":"', "a", '"}'),
  "a key of escaped quotes": () => filled('{"key":"', '\\"', '"}'),
  "data of escaped quotes": () => filled(head, '\\"', '"}'),
  "data of backslashes": () => filled(head, "\\\\", '"}'),
  "data of escapes, wrong at its end": () => filled(head, "\\u0041", '*"}'),
  "data of a foreign alphabet": () => filled(head, "ж", '"}'),
  "data that is wrong at its end": () => filled(head, "A", '*"}'),
  "quotes only": () => filled("{", '"', ""),
};

describe("a body of the old put, as long as it may be", { timeout }, () => {
  for (const [what, make] of Object.entries(costly)) {
    test(`with ${what}: it is refused, and no turn of the event loop takes 5 ms`, async () => {
      const body = make();
      await assertShortTurns(async () => {
        await assert.rejects(parseLegacyPut(body, maxValueBytes, new Turns().of("")), { code: "body_invalid" });
      });
    });
  }
});

describe("long bodies of the old put at once", { timeout }, () => {
  test("are decoded one piece a turn: no turn takes 5 ms", async () => {
    const turns = new Turns().of("");
    const body = Buffer.from(`${head}${Buffer.alloc(maxValueBytes, 7).toString("base64")}"}`);
    await assertShortTurns(() =>
      Promise.all(Array.from({ length: 6 }, () => parseLegacyPut(body, maxValueBytes, turns))),
    );
  });
});

describe("the data of the old put", { timeout }, () => {
  const parse = async (data: string): Promise<Buffer> => {
    const put = await parseLegacyPut(Buffer.from(`${head}${data}"}`), maxValueBytes, new Turns().of(""));
    assert.ok("value" in put);
    return put.value;
  };
  const value = Buffer.from(Array.from({ length: 1_000_003 }, (_, index) => (index * 7919) % 251));
  const plain = value.toString("base64");

  const writings: Readonly<Record<string, string>> = {
    "as it is": plain,
    "with an escaped line break after every 64": plain.replace(/.{64}/g, "$&\\r\\n"),
    "with a line break after every 76": plain.replace(/.{76}/g, "$&\\n"),
    "with slashes escaped, as PHP does": plain.replaceAll("/", "\\/"),
    "with plus signs escaped, as .NET does": plain.replaceAll("+", "\\u002B"),
    "with every character escaped": plain.replace(/./g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`),
  };
  for (const [how, text] of Object.entries(writings)) {
    test(`${how}: its bytes, in memory of their own`, async () => {
      const parsed = await parse(text);
      assert.ok(parsed.equals(value));
      assert.equal(parsed.buffer.byteLength, value.length);
    });
  }

  test("of each small length, with padding or without: its bytes", async () => {
    for (let length = 1; length < 9; length++) {
      const bytes = Buffer.alloc(length, 0xfb);
      assert.deepEqual(await parse(bytes.toString("base64")), bytes);
    }
  });

  test("with padding where a piece ends, or a raw line break: refused", async () => {
    const padded = Buffer.alloc(300_000, 1).toString("base64");
    for (const data of [`${"A".repeat(262_140)}AA==${padded}`, `${padded}\n${padded}`, `${padded}\n\\n${padded}`]) {
      await assert.rejects(parse(data), { code: "body_invalid" });
    }
  });

  test("encoded again: the same text between what is put around it", async () => {
    for (const bytes of [value, Buffer.alloc(0), Buffer.alloc(2, 0xfb)]) {
      const encoded = await encodeData("ä<", bytes, ">", new Turns().of(""));
      assert.equal(encoded.toString(), `ä<${bytes.toString("base64")}>`);
    }
  });

  test("given twice: the last one counts, as in JSON", async () => {
    const body = Buffer.from('{"data":"AA==","key":"a","key":"k","extension":"b","data":"AQ=="}');
    const put = await parseLegacyPut(body, maxValueBytes, new Turns().of(""));
    assert.deepEqual(put, { key: "k", extension: "b", value: Buffer.from([1]) });
  });

  test("of several bodies at once: each gets its own bytes", async () => {
    const turns = new Turns().of("");
    const bodies = Array.from({ length: 6 }, (_, index) => Buffer.alloc(900_000, index + 1));
    let done: Buffer[] = [];
    const read = async (): Promise<void> => {
      done = await Promise.all(
        bodies.map(async (bytes) => {
          const text = `${head}${bytes.toString("base64")}"}`;
          const put = await parseLegacyPut(Buffer.from(text), maxValueBytes, turns);
          return "value" in put ? put.value : Buffer.alloc(0);
        }),
      );
    };
    await read();
    assert.ok(done.every((bytes, index) => bytes.equals(bodies[index] as Buffer)));
  });
});
