/** Signatures of requests: AWS's own examples, and what happens when any part of a request is changed after signing. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Access } from "../../../../src/access/access.ts";
import { Verifier } from "../../../../src/s3/signature/verifier.ts";
import { type S3Code, S3Error } from "../../../../src/s3/words/s3-error.ts";
import { parseTarget } from "../../../../src/s3/words/target.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";

/** Those of AWS's documentation ("Authenticating Requests (AWS Signature Version 4)"), which opens nothing. */
const accessKeyId = "AKIAIOSFODNN7EXAMPLE";
const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const signedAtMs = Date.parse("2013-05-24T00:00:00Z");
const credential = `${accessKeyId}/20130524/us-east-1/s3/aws4_request`;
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

interface Sent {
  method: string;
  target: string;
  /** Names and values in turn. */
  headers: string[];
}

function sent(method: string, target: string, fields: readonly string[], signed: string, signature: string): Sent {
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${signed},Signature=${signature}`;
  const headers = ["Host", "examplebucket.s3.amazonaws.com", "Authorization", authorization, ...fields];
  return { method, target, headers: [...headers, "x-amz-date", "20130524T000000Z"] };
}

const getWithRange = (): Sent =>
  sent(
    "GET",
    "/test.txt",
    ["Range", "bytes=0-9", "x-amz-content-sha256", emptyHash],
    "host;range;x-amz-content-sha256;x-amz-date",
    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  );

const list = (): Sent =>
  sent(
    "GET",
    "/?max-keys=2&prefix=J",
    ["x-amz-content-sha256", emptyHash],
    "host;x-amz-content-sha256;x-amz-date",
    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
  );

const presigned = (): Sent => ({
  method: "GET",
  target:
    "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
  headers: ["Host", "examplebucket.s3.amazonaws.com"],
});

const examples: Readonly<Record<string, () => Sent>> = {
  "a range of an object": getWithRange,
  "an object that is put": () =>
    sent(
      "PUT",
      "/test%24file.text",
      [
        "Date",
        "Fri, 24 May 2013 00:00:00 GMT",
        "x-amz-content-sha256",
        "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        "x-amz-storage-class",
        "REDUCED_REDUNDANCY",
      ],
      "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
  "a part of a bucket": () =>
    sent(
      "GET",
      "/?lifecycle",
      ["x-amz-content-sha256", emptyHash],
      "host;x-amz-content-sha256;x-amz-date",
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
  "a listing": list,
  "a presigned request": presigned,
};

function verifierAt(afterMs = 0, key: Partial<{ secret: string; id: string }> = {}): Verifier {
  const rule = { name: "test", accessKeyId: key.id ?? accessKeyId, secret: key.secret ?? secret };
  const access = new Access({ tokens: [], s3Keys: [{ ...rule, allow: ["read"] as const }] });
  const clock = new ManualClock();
  const wallMs = (): number => signedAtMs + afterMs;
  return new Verifier(access, { now: () => clock.now(), after: (ms, run) => clock.after(ms, run), wallMs });
}

function verify(request: Sent, afterMs?: number, key?: Parameters<typeof verifierAt>[1]) {
  return verifyBy(verifierAt(afterMs, key), request);
}

function verifyBy(verifier: Verifier, { method, target, headers }: Sent) {
  const byName: Record<string, string> = {};
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    byName[name] = byName[name] === undefined ? (headers[i + 1] as string) : `${byName[name]}, ${headers[i + 1]}`;
  }
  return verifier.verify({
    method,
    target: parseTarget(target, "examplebucket"),
    headers: byName,
    rawHeaders: headers,
  });
}

function refused(code: S3Code, act: () => unknown): void {
  assert.throws(act, (error) => error instanceof S3Error && error.s3Code === code, code);
}

const edit = (change: (request: Sent) => void, make: () => Sent = getWithRange): Sent => {
  const request = make();
  change(request);
  return request;
};

const retarget = (request: Sent, target: string): void => {
  request.target = target;
};

const rename = (request: Sent, method: string): void => {
  request.method = method;
};

const set = (request: Sent, name: string, value: string): void => {
  const at = request.headers.indexOf(name);
  assert.ok(at >= 0);
  request.headers[at + 1] = value;
};

const replace = (request: Sent, from: string | RegExp, to: string): void => {
  const before = request.target;
  request.target = before.replace(from, to);
  assert.notEqual(request.target, before);
};

/** What was changed, and what S3 calls that. */
const changes: readonly (readonly [what: string, code: S3Code, request: () => Sent])[] = [
  ["the method", "SignatureDoesNotMatch", () => edit((r) => rename(r, "DELETE"))],
  ["the key", "SignatureDoesNotMatch", () => edit((r) => retarget(r, "/test.txu"))],
  ["a slash more", "SignatureDoesNotMatch", () => edit((r) => retarget(r, "//test.txt"))],
  ["a dot segment", "SignatureDoesNotMatch", () => edit((r) => retarget(r, "/./test.txt"))],
  ["a parameter more", "SignatureDoesNotMatch", () => edit((r) => retarget(r, "/test.txt?acl"))],
  ["a parameter's value", "SignatureDoesNotMatch", () => edit((r) => replace(r, "prefix=J", "prefix=K"), list)],
  ["a parameter twice", "SignatureDoesNotMatch", () => edit((r) => replace(r, "prefix=J", "prefix=J&prefix=K"), list)],
  ["a parameter's name", "SignatureDoesNotMatch", () => edit((r) => replace(r, "max-keys", "max-kays"), list)],
  ["the host", "SignatureDoesNotMatch", () => edit((r) => set(r, "Host", "other.s3.amazonaws.com"))],
  ["the range", "SignatureDoesNotMatch", () => edit((r) => set(r, "Range", "bytes=0-10"))],
  ["the range twice", "SignatureDoesNotMatch", () => edit((r) => void r.headers.push("Range", "bytes=0-10"))],
  ["no range", "AccessDenied", () => edit((r) => void r.headers.splice(r.headers.indexOf("Range"), 2))],
  ["the time", "SignatureDoesNotMatch", () => edit((r) => set(r, "x-amz-date", "20130524T000001Z"))],
  ["the time's day", "AuthorizationHeaderMalformed", () => edit((r) => set(r, "x-amz-date", "20130523T235959Z"))],
  ["the hash", "SignatureDoesNotMatch", () => edit((r) => set(r, "x-amz-content-sha256", "UNSIGNED-PAYLOAD"))],
  ["a header of S3 more", "AccessDenied", () => edit((r) => void r.headers.push("x-amz-meta-a", "1"))],
  ["the day", "AuthorizationHeaderMalformed", () => edit((r) => auth(r, "20130524/", "20130525/"))],
  ["the region", "SignatureDoesNotMatch", () => edit((r) => auth(r, "us-east-1", "us-west-1"))],
  ["the region's letters", "AuthorizationHeaderMalformed", () => edit((r) => auth(r, "us-east-1", "us;east"))],
  ["the region's length", "AuthorizationHeaderMalformed", () => edit((r) => auth(r, "us-east-1", "a".repeat(65)))],
  ["the service", "AuthorizationHeaderMalformed", () => edit((r) => auth(r, "/s3/", "/ec2/"))],
  ["the scope's end", "AuthorizationHeaderMalformed", () => edit((r) => auth(r, "aws4_request", "aws5_request"))],
  ["the key's id", "InvalidAccessKeyId", () => edit((r) => auth(r, "EXAMPLE/", "EXAMPLF/"))],
  ["a signed name less", "SignatureDoesNotMatch", () => edit((r) => auth(r, "range;", ""))],
  ["the host not signed", "AccessDenied", () => edit((r) => auth(r, "host;", ""))],
  ["the order of names", "SignatureDoesNotMatch", () => edit((r) => auth(r, "host;range", "range;host"))],
  ["a name twice", "AccessDenied", () => edit((r) => auth(r, "host;", "host;host;"))],
  ["a name in capitals", "AuthorizationHeaderMalformed", () => edit((r) => auth(r, "host;", "Host;"))],
  ["a digit of the signature", "SignatureDoesNotMatch", () => edit((r) => auth(r, "bdb41", "bdb42"))],
  ["the signature in capitals", "AuthorizationHeaderMalformed", () => edit((r) => auth(r, "bdb41", "BDB41"))],
  ["a shorter signature", "AuthorizationHeaderMalformed", () => edit((r) => auth(r, "bdb41", ""))],
  ["no signature", "AuthorizationHeaderMalformed", () => edit((r) => auth(r, /,Signature=.*/, ""))],
  ["two signatures", "AuthorizationHeaderMalformed", () => edit((r) => auth(r, /$/, ",Signature=00"))],
  ["another algorithm", "AuthorizationHeaderMalformed", () => edit((r) => auth(r, "HMAC-SHA256", "ECDSA-P256-SHA256"))],
  ["version 2", "InvalidRequest", () => edit((r) => set(r, "Authorization", "AWS AKIA:abcd="))],
  ["a session", "InvalidToken", () => edit((r) => void r.headers.push("x-amz-security-token", "x"))],
  ["presigned: the method", "SignatureDoesNotMatch", () => edit((r) => rename(r, "PUT"), presigned)],
  ["presigned: the key", "SignatureDoesNotMatch", () => edit((r) => replace(r, "test", "tess"), presigned)],
  ["presigned: the host", "SignatureDoesNotMatch", () => edit((r) => set(r, "Host", "x"), presigned)],
  ["presigned: the expiry", "SignatureDoesNotMatch", () => edit((r) => replace(r, "86400", "86401"), presigned)],
  ["presigned: for ever", "AuthorizationQueryParametersError", () => edit((r) => replace(r, "86400", "604801"), presigned)],
  ["presigned: no expiry", "AuthorizationQueryParametersError", () => edit((r) => replace(r, "X-Amz-Expires", "Y"), presigned)],
  ["presigned: a parameter more", "SignatureDoesNotMatch", () => edit((r) => replace(r, "?", "?acl&"), presigned)],
  ["presigned: the signature twice", "InvalidArgument", () => edit((r) => replace(r, /$/, "&X-Amz-Signature=00"), presigned)],
  ["presigned: a header of S3", "AccessDenied", () => edit((r) => void r.headers.push("x-amz-acl", "private"), presigned)],
  ["presigned: signed twice", "InvalidArgument", () => edit((r) => void r.headers.push("Authorization", "AWS4-HMAC-SHA256 x"), presigned)],
  ["presigned: version 2", "AccessDenied", () => ({ ...presigned(), target: "/a?AWSAccessKeyId=A&Signature=B&Expires=1" })],
]; // biome-ignore format: a table

function auth(request: Sent, from: string | RegExp, to: string): void {
  const before = request.headers[request.headers.indexOf("Authorization") + 1] as string;
  const after = before.replace(from, to);
  assert.notEqual(after, before);
  set(request, "Authorization", after);
}

describe("the signature of a request", () => {
  for (const [what, example] of Object.entries(examples)) {
    it(`is right in AWS's own example of ${what}`, () => {
      assert.equal(verify(example()).grant.token, "test");
    });
  }

  for (const [what, code, request] of changes) {
    it(`is refused with ${code} after a change of ${what}`, () => refused(code, () => verify(request())));
  }

  it("is refused after a change by a verifier that has just taken the request as it was", () => {
    const verifier = verifierAt();
    for (const [what, code, request] of changes) {
      for (const example of Object.values(examples))
        assert.equal(verifyBy(verifier, example()).grant.token, "test", what);
      refused(code, () => verifyBy(verifier, request()));
    }
  });

  it("is refused with another secret, and with a key that the cluster does not have", () => {
    refused("SignatureDoesNotMatch", () => verify(getWithRange(), 0, { secret: "another secret" }));
    refused("InvalidAccessKeyId", () => verify(getWithRange(), 0, { id: "AKIAOTHER" }));
  });

  it("counts for 15 minutes before and after the time that it names", () => {
    const quarter = 15 * 60_000;
    for (const ms of [-quarter, quarter]) assert.ok(verify(getWithRange(), ms));
    for (const ms of [-quarter - 1, quarter + 1]) {
      refused("RequestTimeTooSkewed", () => verify(getWithRange(), ms));
    }
  });

  it("counts in a query until it expires, and not before its time", () => {
    assert.ok(verify(presigned(), 86_400_000));
    refused("AccessDenied", () => verify(presigned(), 86_400_001));
    refused("AccessDenied", () => verify(presigned(), -15 * 60_000 - 1));
  });

  it("is over the same bytes, however the path and the spaces of headers are written", () => {
    const encoded = edit((r) => retarget(r, "/%74est%2Etxt"));
    assert.ok(verify(encoded));
    assert.ok(verify(edit((r) => set(r, "Range", "  bytes=0-9 "))));
  });

  it("is missed in a request that has none", () => {
    refused("AccessDenied", () => verify({ method: "GET", target: "/a", headers: ["Host", "a"] }));
  });

  it("covers the hash of the body: a header without it is refused", () => {
    const without = edit((r) => void r.headers.splice(r.headers.indexOf("x-amz-content-sha256"), 2));
    refused("InvalidRequest", () => verify(without));
  });
});
