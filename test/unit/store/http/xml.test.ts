/** Character references in the stores' XML, odd ones too: a store's error must never hide behind one of ours. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { elementIn, unescapeXml } from "../../../../src/store/http/xml.ts";

test("character references become characters, and U+FFFD where there is none", () => {
  assert.equal(unescapeXml("a&amp;b &lt;&gt;&quot;&apos; &#65;&#x1F600; &unknown;"), "a&b <>\"' A\u{1F600} &unknown;");
  assert.equal(unescapeXml("&#x110000;&#99999999999999999999;"), "\uFFFD\uFFFD");
  assert.equal(elementIn("<Error><Message>a &#x110000;</Message></Error>", "Message"), "a \uFFFD");
});
