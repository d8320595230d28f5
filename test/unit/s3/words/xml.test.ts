/** S3's XML: what comes in is bounded in time and memory whatever it is; what goes out can be read again. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { S3Error } from "../../../../src/s3/words/s3-error.ts";
import { element, escapeXml, readXml, xmlDocument } from "../../../../src/s3/words/xml.ts";
import { mutate, noise } from "../../../harness/fuzz-requests.ts";
import { seedOf } from "../../../harness/seed.ts";
import { SimRandom } from "../../../harness/sim-random.ts";

const schema = z.object({ Delete: z.object({ Object: z.object({ Key: z.string() }) }) });

function keyIn(xml: string): string {
  return readXml(Buffer.from(xml), schema).Delete.Object.Key;
}

const withKey = (key: string): string => `<Delete><Object><Key>${key}</Key></Object></Delete>`;

function malformed(xml: string | Buffer): void {
  assert.throws(
    () => readXml(Buffer.from(xml), schema),
    (error) => error instanceof S3Error && error.s3Code === "MalformedXML",
  );
}

/** Milliseconds on a machine that is busy with other tests. What takes quadratic time takes minutes. */
const longestMs = 5_000;
const documentBytes = 512 * 1024;

describe("a document that comes in", () => {
  it("has characters by their references, those of more than 16 bits too", () => {
    assert.equal(keyIn(withKey("a&amp;&lt;&#x62;&#99;&#x1F600;&#128512;é😀")), "a&<bc😀😀é😀");
    assert.equal(keyIn(withKey("&#60;Key&#62;")), "<Key>");
    malformed(withKey("&#x110000;"));
  });

  it("is refused with a document type, an entity of its own, or CDATA", () => {
    malformed('<!DOCTYPE a [<!ENTITY b "c">]><Delete/>');
    malformed('<!doctype a><Delete/>');
    malformed(withKey("<![CDATA[a]]>"));
    const bomb = '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>';
    malformed(bomb + withKey("&b;"));
  });

  it("is refused if its bytes are no UTF-8, rather than read as another key", () => {
    malformed(Buffer.concat([Buffer.from("<Delete><Object><Key>a"), Buffer.from([0xff]), Buffer.from("</Key></Object></Delete>")]));
  });

  it("is refused in bounded time, whatever it consists of", () => {
    const pieces = ["<a>", "<", ">", "&", "<a ", "<a b='", "<!---->", "<?a?>", "</", "<a/>", "&#x1F600;", "<!DOCTYPE a>", " ", "]]>", "a=", "<__proto__>", "\0"];
    for (const piece of pieces) {
      for (const begin of ["", "<Delete>", "<Delete ", "<Delete><Object>"]) {
        const text = begin + piece.repeat(Math.floor(documentBytes / piece.length));
        const beganAt = performance.now();
        malformed(text);
        const ms = performance.now() - beganAt;
        assert.ok(ms < longestMs, `${JSON.stringify(begin + piece)} took ${ms} ms`);
      }
    }
  });

  it("is read or refused, never anything else, if bytes of it are changed", (t) => {
    const seed = seedOf(t);
    const random = new SimRandom(seed);
    const right = Buffer.from(`<?xml version="1.0"?>${withKey("a&#x1F600;&amp;b")}`);
    for (let n = 0; n < 20_000; n++) {
      const bytes = random.chance(0.9) ? mutate(random, right) : noise(random, random.whole(0, 300));
      try {
        readXml(bytes, schema);
      } catch (error) {
        assert.ok(error instanceof S3Error && error.s3Code === "MalformedXML", String(error));
      }
    }
  });
}); // biome-ignore format: a list of pieces

describe("a document that goes out", () => {
  it("can be read again, with every character in its texts", () => {
    const keys = ["a", "<&>'\"", "a\nb\rc\td", "é😀", "]]>", "\u0001\u007f\u0085\u2028"];
    for (const key of keys) {
      const xml = xmlDocument("Delete", `<Object>${element("Key", key)}</Object>`);
      const read = readXml(Buffer.from(xml), z.object({ Delete: z.object({ Object: z.object({ Key: z.string() }) }) }));
      assert.equal(read.Delete.Object.Key, key);
    }
  });

  it("has no element for a text that is not there", () => {
    assert.equal(element("A", undefined), "");
    assert.equal(element("A", 0), "<A>0</A>");
    assert.equal(escapeXml("plain"), "plain");
  });
});
