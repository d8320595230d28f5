/** What is remembered of Authorization headers, and of the headers that they name. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KnownHeaders, parseHeader, SignedHeaders } from "../../../../src/s3/signature/authorization.ts";

const one = "1".repeat(64);
const other = "ab".repeat(32);
const usual = (signature: string, names = "host;x-amz-date"): string =>
  `AWS4-HMAC-SHA256 Credential=KEY/20130524/us-east-1/s3/aws4_request, SignedHeaders=${names}, Signature=${signature}`;
/** The signature is not at its end. A signed header may have its digits for a name. */
const odd = (signature: string, name: string): string =>
  `AWS4-HMAC-SHA256 Signature=${signature},Credential=KEY/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;${name}`;

function known(...headers: string[]): KnownHeaders {
  const found = new KnownHeaders();
  for (const header of headers) found.keep(header, parseHeader(header));
  return found;
}

describe("KnownHeaders", () => {
  it("says of a header that differs in its signature alone what parsing says", () => {
    const headers = known(usual(one), usual(one, "host;range;x-amz-date"));
    for (const header of [usual(one), usual(other), usual(other, "host;range;x-amz-date")]) {
      assert.deepEqual(headers.find(header), parseHeader(header));
    }
  });

  it("does not know a header that differs in anything else", () => {
    const headers = known(usual(one));
    for (const header of [
      usual(one, "host"),
      usual(one).replace("KEY", "KEZ"),
      usual(one).replace("us-east-1", "us-east-2"),
      usual(one).replace(", S", ",S"),
      usual(`${one}0`),
      usual(one.slice(1)),
      one,
      "",
    ]) {
      assert.equal(headers.find(header), undefined, header);
    }
  });

  it("takes what stands in the place of a signature for one", () => {
    const headers = known(usual(one));
    for (const end of ["AB".repeat(32), `${one.slice(1)}g`]) {
      const { signature: _, ...signer } = parseHeader(usual(one));
      assert.deepEqual(headers.find(usual(end)), { ...signer, signature: end });
    }
  });

  it("keeps no header whose signature is not at its end", () => {
    const headers = known(odd(one, one), odd(one, other));
    for (const name of [one, other]) assert.equal(headers.find(odd(one, name)), undefined);
  });
});

describe("SignedHeaders", () => {
  it("knows the place of a name, whatever the request before had in the same place", () => {
    const signed = new SignedHeaders("host;range;x-amz-date");
    const requests = [
      ["Host", "X-Amz-Date", "Range", "Accept"],
      ["Host", "X-Amz-Date", "Range", "Accept"],
      ["host", "Accept", "x-amz-date", "range"],
      ["Accept"],
      ["Range", "Host", "range", "RANGE", "Host"],
      Array.from({ length: 200 }, (_, number) => (number % 3 === 0 ? "Range" : `x${number}`)),
      ["Host", "X-Amz-Date", "Range", "Accept"],
    ];
    for (const names of requests) {
      const places = names.map((name, number) => signed.placeOf(name, number));
      const expected = names.map((name) => signed.names.indexOf(name.toLowerCase()));
      assert.deepEqual(
        places,
        expected.map((place) => (place < 0 ? undefined : place)),
      );
    }
  });

  it("has no name twice", () => {
    assert.throws(() => new SignedHeaders("host;range;host"), /signed twice/);
  });
});
