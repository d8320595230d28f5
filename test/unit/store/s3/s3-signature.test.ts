/** The signature, against the example in AWS's documentation and against the implementation in AWS's SDK. */

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";
import { SignatureV4 } from "@smithy/signature-v4";
import { encodePath } from "../../../../src/store/http/percent-encoding.ts";
import { QuerySigner } from "../../../../src/store/s3/s3-signature.ts";

/** The documentation's; nobody's. */
const credentials = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};

test("QuerySigner, given the example of AWS's documentation, arrives at its URL", () => {
  const signed = new QuerySigner("us-east-1").sign(
    {
      method: "GET",
      path: "/test.txt",
      headers: [["host", "examplebucket.s3.amazonaws.com"]],
      timeMs: Date.UTC(2013, 4, 24),
      expiresSeconds: 86_400,
    },
    credentials,
  );
  assert.equal(
    signed,
    "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
      "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
      "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
  );
});

test("QuerySigner signs as AWS's SDK does: any name, header, query, day, and temporary credentials", async () => {
  const keys = ["a", "a//b/../c", "ü/日本\u{1F600}", "!'()*~-._ +&=?#%41", "\u0001\u007f"];
  const days = [Date.UTC(2026, 0, 1, 23, 59, 59, 999), Date.UTC(2026, 0, 2)];
  const signer = new QuerySigner("eu-central-1");
  for (const key of keys) {
    for (const timeMs of days) {
      for (const sessionToken of [undefined, "to/ken+=="]) {
        for (const method of ["PUT", "GET"]) {
          const used = { ...credentials, ...(sessionToken === undefined ? {} : { sessionToken }) };
          const headers: [string, string][] = [
            ["content-md5", "XUFAKrxLKna5cZ2REBfFkg=="],
            ["host", "photos.s3.eu-central-1.amazonaws.com"],
            ["if-match", '"d41d8cd98f00b204e9800998ecf8427e"'],
            ["x-amz-meta-weir-version", "c.12345678.1.2 %C3"],
          ];
          const path = `/${encodePath(key)}`;
          // The SDK states the unsigned payload; one parameter more for us.
          const query: [string, string][] = [
            ["versioning", ""],
            ["x-amz-content-sha256", "UNSIGNED-PAYLOAD"],
          ];
          const ours = signer.sign({ method, path, query, headers, timeMs, expiresSeconds: 9 }, used);
          const theirs = await sdkSignature(method, path, headers, timeMs, used);
          assert.equal(new URLSearchParams(ours.split("?")[1]).get("X-Amz-Signature"), theirs);
        }
      }
    }
  }
});

test("QuerySigner uses a new key when the credentials change", () => {
  const request = { method: "GET", path: "/a", headers: [["host", "h"]], timeMs: 0, expiresSeconds: 1 } as const;
  const signer = new QuerySigner("r");
  const first = signer.sign(request, { accessKeyId: "k", secretAccessKey: "1" });
  const second = signer.sign(request, { accessKeyId: "k", secretAccessKey: "2" });
  assert.notEqual(first, second);
  assert.equal(signer.sign(request, { accessKeyId: "k", secretAccessKey: "1" }), first);
});

test("QuerySigner, asked for a validity that S3 has not, fails an assertion", () => {
  const request = { method: "GET", path: "/a", headers: [["host", "h"]], timeMs: 0 } as const;
  for (const expiresSeconds of [0, 1.5, 604_801]) {
    assert.throws(() => new QuerySigner("r").sign({ ...request, expiresSeconds }, credentials), /whole seconds/);
  }
});

async function sdkSignature(
  method: string,
  path: string,
  headers: [string, string][],
  timeMs: number,
  used: { accessKeyId: string; secretAccessKey: string; sessionToken?: string },
): Promise<string> {
  const signer = new SignatureV4({
    service: "s3",
    region: "eu-central-1",
    credentials: used,
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
  const names = headers.map(([name]) => name);
  const signed = await signer.presign(
    {
      method,
      protocol: "https:",
      hostname: "photos.s3.eu-central-1.amazonaws.com",
      path,
      query: { versioning: "" },
      headers: { ...Object.fromEntries(headers), "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
    },
    {
      expiresIn: 9,
      signingDate: new Date(timeMs),
      unhoistableHeaders: new Set(names),
      signableHeaders: new Set(names),
    },
  );
  return signed.query?.["X-Amz-Signature"] as string;
}

class Sha256 {
  readonly #hash;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret as string);
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(data as string);
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {
    throw new Error("not needed");
  }
}
