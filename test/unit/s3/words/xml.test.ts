/** S3's XML: what comes in is bounded in time and memory whatever it is; what goes out can be read again. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { Turns } from "../../../../src/http/server/turns.ts";
import { S3Error } from "../../../../src/s3/words/s3-error.ts";
import { element, escapeXml, readXml, xmlDocument } from "../../../../src/s3/words/xml.ts";
import { mutate, noise } from "../../../harness/fuzz-requests.ts";
import { seedOf } from "../../../harness/seed.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { assertShortTurns } from "../../../harness/turn-times.ts";

const schema = z.object({ Delete: z.object({ Object: z.object({ Key: z.string() }) }) });

const turns = new Turns().of("somebody");

async function keyIn(xml: string): Promise<string> {
  return (await readXml(Buffer.from(xml), schema, turns, 100)).Delete.Object.Key;
}

const withKey = (key: string): string => `<Delete><Object><Key>${key}</Key></Object></Delete>`;

async function malformed(xml: string | Buffer): Promise<void> {
  await assert.rejects(
    readXml(Buffer.from(xml), schema, turns, 100),
    (error) => error instanceof S3Error && error.s3Code === "MalformedXML",
  );
}

/** Milliseconds on a machine that is busy with other tests. What takes quadratic time takes minutes. */
const longestMs = 5_000;
const documentBytes = 512 * 1024;

describe("a document that comes in", () => {
  it("has characters by their references, those of more than 16 bits too", async () => {
    assert.equal(await keyIn(withKey("a&amp;&lt;&#x62;&#99;&#x1F600;&#128512;é😀")), "a&<bc😀😀é😀");
    assert.equal(await keyIn(withKey("&#60;Key&#62;")), "<Key>");
    await malformed(withKey("&#x110000;"));
  });

  it("is refused with a document type, an entity of its own, or CDATA", async () => {
    await malformed('<!DOCTYPE a [<!ENTITY b "c">]><Delete/>');
    await malformed('<!doctype a><Delete/>');
    await malformed(withKey("<![CDATA[a]]>"));
    const bomb = '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>';
    await malformed(bomb + withKey("&b;"));
  });

  it("is refused where it could be read in two ways", async () => {
    assert.equal(await keyIn(`<?xml version="1.0" encoding="utf-8"?><!-- a -->\n${withKey("a\r\nb ")}<!-- b -->\n`), "a\nb ");
    await malformed(withKey("a&nbsp;b"));
    await malformed(withKey("a&b"));
    await malformed(withKey("a&#xD800;b"));
    await malformed(Buffer.from(withKey("é"), "latin1"));
    await malformed(`<?xml version="1.0" encoding="ISO-8859-1"?>${withKey("a")}`);
    await malformed(`${withKey("a")}<Delete/>`);
    await malformed(`${withKey("a")}x`);
    await malformed(`x${withKey("a")}`);
    await malformed("<Delete><Object>x<Key>a</Key></Object></Delete>");
    await malformed("<Delete><Object><Key>a</Key>x</Object></Delete>");
    await malformed("<Delete><Object><Key>a</Key></Object>");
    await malformed("<Delete><Object><Key>a</Object></Key></Delete>");
    await malformed(withKey("a</Key><Key>b"));
    await malformed(withKey("a<Sub/>"));
  });

  it("is read in short turns", async () => {
    const one = `<Object><Key>${"&#x1F600;".repeat(120)}</Key><ETag>a</ETag></Object>`;
    const list = z.object({ Delete: z.object({ Object: z.array(z.object({ Key: z.string(), ETag: z.string() })) }) });
    const bytes = Buffer.from(`<Delete>${one.repeat(1_000)}</Delete>`);
    await assertShortTurns(() => readXml(bytes, list, turns, 6_000));
    const small = Buffer.from(`<Delete>${"<!---->".repeat(150_000)}</Delete>`);
    await assertShortTurns(() => assert.rejects(readXml(small, list, turns, 6_000)));
  });

  it("is refused in bounded time, whatever it consists of", async () => {
    const pieces = ["<a>", "<", ">", "&", "<a ", "<a b='", "<!---->", "<?a?>", "</", "<a/>", "&#x1F600;", "<!DOCTYPE a>", " ", "]]>", "a=", "<__proto__>", "\0"];
    for (const piece of pieces) {
      for (const begin of ["", "<Delete>", "<Delete ", "<Delete><Object>"]) {
        const text = begin + piece.repeat(Math.floor(documentBytes / piece.length));
        const beganAt = performance.now();
        await malformed(text);
        const ms = performance.now() - beganAt;
        assert.ok(ms < longestMs, `${JSON.stringify(begin + piece)} took ${ms} ms`);
      }
    }
  });

  it("is read or refused, never anything else, if bytes of it are changed", async (t) => {
    const seed = seedOf(t);
    const random = new SimRandom(seed);
    const right = Buffer.from(`<?xml version="1.0"?>${withKey("a&#x1F600;&amp;b")}`);
    for (let n = 0; n < 20_000; n++) {
      const bytes = random.chance(0.9) ? mutate(random, right) : noise(random, random.whole(0, 300));
      try {
        await readXml(bytes, schema, turns, 100);
      } catch (error) {
        assert.ok(error instanceof S3Error && error.s3Code === "MalformedXML", String(error));
      }
    }
  });
}); // biome-ignore format: a list of pieces

describe("a document that goes out", () => {
  it("can be read again, with every character in its texts", async () => {
    const keys = ["a", "<&>'\"", "a\nb\rc\td", "é😀", "]]>", "\u0001\u007f\u0085\u2028"];
    for (const key of keys) {
      const xml = xmlDocument("Delete", `<Object>${element("Key", key)}</Object>`);
      const read = await readXml(Buffer.from(xml), schema, turns, 100);
      assert.equal(read.Delete.Object.Key, key);
    }
  });

  it("has no element for a text that is not there", async () => {
    assert.equal(element("A", undefined), "");
    assert.equal(element("A", 0), "<A>0</A>");
    assert.equal(escapeXml("plain"), "plain");
  });
});
