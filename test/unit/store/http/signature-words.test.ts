/** Signatures and keys that a store echoes are taken out of its words where they come in. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFailure as parseAzureFailure } from "../../../../src/store/azure/azure-errors.ts";
import { withoutSignatures } from "../../../../src/store/http/signature-words.ts";
import { parseFailure } from "../../../../src/store/s3/s3-errors.ts";

const hex = "0f".repeat(32);
const base64 = `${"aB3+".repeat(10)}xyz=`;

test("a store that echoes a signature or a session token: neither is in the failure's words", () => {
  const echoes = [
    `the signature ${hex} does not match`,
    `The MAC signature found in the HTTP request '${base64}' is not the same as any computed signature.`,
    `https://store.example/b/k?X-Amz-Signature=${hex}&X-Amz-Date=x`,
    `https://a.blob.core.windows.net/c/b?sig=${encodeURIComponent(base64)}&se=x`,
    `X-Amz-Security-Token=abc%2Fdef`,
    `X-Amz-Credential=AKIDEXAMPLE/20260101/eu-west-1/s3/aws4_request`,
  ];
  for (const echo of echoes) {
    const s3 = parseFailure(
      403,
      `<Error><Code>X</Code><Message>${echo.replaceAll("&", "&amp;")}</Message></Error>`,
      "",
    );
    const azure = parseAzureFailure(403, "X", `<Error><Message>no</Message><AuthenticationErrorDetail>${echo}`);
    for (const { message } of [s3, azure]) {
      assert.doesNotMatch(message, /0f0f0f|aB3|abc%2F|AKIDEXAMPLE/, message);
      assert.match(message, /…/);
    }
  }
});

test("words without a signature stay as they are", () => {
  const words = "Access to s3://bucket/prefix/3f2a was denied; the bucket's region is eu-west-1 (sigh=1)";
  assert.equal(withoutSignatures(words), words);
});
