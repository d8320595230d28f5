/**
 * Presigned requests of signature version 2, as programs make them, and what happens when any part of one is changed
 * after signing.
 */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { Access } from "../../../../src/access/access.ts";
import { type Identity, Verifier } from "../../../../src/s3/signature/verifier.ts";
import { type S3Code, S3Error } from "../../../../src/s3/words/s3-error.ts";
import { parseTarget } from "../../../../src/s3/words/target.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";

/** Those of AWS's documentation, which opens nothing. */
const accessKeyId = "AKIAIOSFODNN7EXAMPLE";
const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const bucket = "examplebucket";

interface Sent {
  readonly method: string;
  readonly target: string;
  /** In the host's name. */
  readonly bucket?: string | undefined;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
}

/** The query of a signature. */
const proof = (expires: number, signature: string): string =>
  `AWSAccessKeyId=${accessKeyId}&Signature=${encodeURIComponent(signature)}&Expires=${expires}`;

const madeAtMs = 1_796_110_641_000;
const expires = 1_796_114_241;

const boto = (method: string, path: string, signature: string, more = "", at = expires): Sent => ({
  method,
  target: `${path}${path.includes("?") ? "&" : "?"}${proof(at, signature)}${more}`,
  bucket,
});

const oddPath = "/a%20b%2Bc%2541/~x%27%281%29%2A%21%26%3D%3F%23%3B%3A%40%24%2C%C3%BC%E6%97%A5.txt";
const overrides =
  "/a?response-content-disposition=attachment%3B%20filename%3D%22%C3%A4%20%26%3D%2B.txt%22&response-content-type=text%2Fplain%3B%20charset%3Dutf-8" +
  "&response-cache-control=no-cache&response-expires=Thu%2C%2001%20Dec%202033%2016%3A00%3A00%20GMT&response-content-language=de&response-content-encoding=gzip";
const putHeaders =
  "&content-type=text%2Fplain%3B%20charset%3Dutf-8&content-md5=XUFAKrxLKna5cZ2REBfFkg%3D%3D&x-amz-meta-owner=ada%2C%20b&x-amz-meta-z=1&x-amz-acl=private&x-amz-storage-class=STANDARD";

const bare = (): Sent => boto("PUT", "/a", "OnoLlKOtvvfOKBpg2BHat+yJVRk=");
const put = (): Sent => boto("PUT", "/a", "si8IOR2ZvyYIBNeX6Yrj/8Jb2nU=", putHeaders);
const part = (): Sent => boto("PUT", "/a?partNumber=7&uploadId=up%2Bload%2Fid%3D", "B9wn1X2/4RyQDQ3y6TVM/S2K+b8=");
const get = (): Sent => boto("GET", "/a", "6ln7CKpJO/Y4syAj9CkPzq7oDnw=");

/** By boto3 1.43. Earlier ones have the part twice in what they sign. */
const newBoto = (method: string, path: string, signature: string, more = ""): Sent =>
  boto(method, path, signature, more, 1_796_114_243);

/** boto3 adds `encoding-type` after it has signed. Without that it is right. */
const bucketAlone = (): Sent => boto("GET", "/", "kqhK0xM36OSyQv/8ZjR8TxueXe0=");

/** Made by boto3 1.26.27 with its defaults, but for those that name another program. */
const examples: Readonly<Record<string, () => Sent>> = {
  "a key, in AWS's own example": () => ({
    method: "GET",
    target: `/photos/puppy.jpg?${proof(1_175_139_620, "NpgCjnDzrM+WFzoENXmpNDUsSn8=")}`,
    bucket: "johnsmith",
  }),
  "a key": get,
  "an odd key": () => boto("GET", oddPath, "frhf1NTxiXLuIn00BagFBguk5Fo="),
  "an odd key, with the bucket in the path": () => ({
    ...boto("GET", `/${bucket}${oddPath}`, "frhf1NTxiXLuIn00BagFBguk5Fo="),
    bucket: undefined,
  }),
  "a key of slashes and dots": () => boto("GET", "///a/../b/", "0X5T/WiDMWlsAnnizunAc3LVpg8="),
  "other headers of the answer": () => boto("GET", overrides, "4YlXc0a/JIN8RQyaoQqF1JdAtUo="),
  "a version and a part": () => boto("GET", "/a?versionId=null&partNumber=1", "chK7aDZbV0O4/qCBqxYIG5LJ1os="),
  "a head": () => boto("HEAD", "/a", "/7OFLCYewGnfqtDuNNWA/6FdCLc=", "&x-amz-checksum-mode=ENABLED"),
  "a value that is put": bare,
  "a value that is put with its headers": put,
  "a value that is put with a type, by AWS's SDK 2 for JavaScript": () => ({
    method: "PUT",
    target: `/${bucket}/a?AWSAccessKeyId=${accessKeyId}&Content-Type=image%2Fjpeg&Expires=1796111558&Signature=TeblVk77iatoki2YGJwFHQ8eclg%3D&x-amz-acl=private&x-amz-meta-owner=ada`,
  }),
  "a copy": () =>
    boto("PUT", "/a", "4oaAf/voCJRZxw4iwNPJGzzCeZs=", "&x-amz-copy-source=examplebucket%2F%25C3%25A4%2520b"),
  "a removal": () => boto("DELETE", "/a", "dcZc6viyxLuQ3+NSc8ke4S31g7c="),
  "a part of an upload": part,
  "the end of an upload": () => boto("POST", "/a?uploadId=u", "0670souNzrpzg/bR0XKlrvXC05k="),
  "an upload": () => newBoto("POST", "/a?uploads", "tY0T2EMfH84fH31UF2Jfr9vhcHQ=", "&content-type=x%2Fy"),
  "an access list": () => newBoto("GET", "/a?acl", "DG5xkcMzCohOWcwNyTOS2lP0bws="),
  "many removals": () => newBoto("POST", "/?delete", "GkHEU0xSKILgJENhoTviTIKm3SA="),
  "a bucket's place, with the bucket in the path": () => ({
    ...newBoto("GET", `/${bucket}?location`, "dwxfweUG+1TdkVxMLnte0TLBg2w="),
    bucket: undefined,
  }),
  "a bucket": bucketAlone,
  "a bucket, in a path without a slash": () => ({ ...replaced(bucketAlone(), "/", `/${bucket}`), bucket: undefined }),
  "a key, by aws-cli 1": () => ({
    method: "GET",
    target: `/${bucket}/a?${proof(1_796_114_248, "/zgOUo/Ve6WkvVlq6yAY39GeUng=")}`,
  }),
  "an odd key, by s3cmd": () => ({
    method: "GET",
    target: `/${bucket}/a%20b%2Bc%2541/~x%27%281%29%2A%C3%BC.txt?${proof(1_796_114_243, "f/x6j3Jt10Ggl+U7lhXqaleCdCI=")}`,
  }),
  "a name for the file, by s3cmd": () => ({
    method: "GET",
    target: `/${bucket}/a?${proof(1_796_114_244, "nP6GVMRBWsgEOiIO2S47fSjlqkQ=")}&response-content-disposition=attachment%3B%20filename%3D%22a%20b%26c.txt%22&response-content-type=text%2Fx`,
  }),
};

function verifierAt(wallMs: number, key: Partial<{ secret: string; id: string }> = {}): Verifier {
  const rule = { name: "test", accessKeyId: key.id ?? accessKeyId, secret: key.secret ?? secret };
  const access = new Access({ tokens: [], s3Keys: [{ ...rule, allow: ["read"] as const }] });
  const clock = new ManualClock();
  return new Verifier(access, {
    now: () => clock.now(),
    after: (ms, run) => clock.after(ms, run),
    wallMs: () => wallMs,
  });
}

function verify(request: Sent, verifier = verifierAt(madeAtMs)): Identity {
  const rawHeaders = ["Host", "a host that is not signed", ...(request.headers ?? [])];
  const headers: Record<string, string> = {};
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    // As the runtime does it.
    if (name === "content-type" && headers[name] !== undefined) continue;
    headers[name] =
      headers[name] === undefined ? (rawHeaders[i + 1] as string) : `${headers[name]}, ${rawHeaders[i + 1]}`;
  }
  const target = parseTarget(request.target, request.bucket);
  return verifier.verify({ method: request.method, target, headers, rawHeaders });
}

function refused(code: S3Code, act: () => unknown, says = /./): void {
  assert.throws(act, (error) => error instanceof S3Error && error.s3Code === code && says.test(error.message), code);
}

/** Signs what is to be signed, as the documentation says it. */
function signed(text: string, rest: string, request: Omit<Sent, "target"> & { readonly path?: string }): Sent {
  const signature = createHmac("sha1", secret).update(text).digest("base64");
  return { bucket, ...request, target: `${request.path ?? "/a"}?${proof(expires, signature)}${rest}` };
}

const replaced = (request: Sent, from: string | RegExp, to: string): Sent => {
  const target = request.target.replace(from, to);
  assert.notEqual(target, request.target);
  return { ...request, target };
};
const withHeader = (request: Sent, name: string, value: string): Sent => ({
  ...request,
  headers: [...(request.headers ?? []), name, value],
});

const override = (): Sent => (examples["other headers of the answer"] as () => Sent)();
const upload = (): Sent => (examples["the end of an upload"] as () => Sent)();
const head = (): Sent => (examples["a head"] as () => Sent)();

/** A copy of a key that has a colon, as it is signed. */
const source = (): Sent => {
  const text = `PUT\n\n\n${expires}\nx-amz-copy-source:examplebucket:b\n/${bucket}/a`;
  return signed(text, "&x-amz-copy-source=examplebucket%3Ab", { method: "PUT" });
};

/** What was changed, and what S3 calls that. */
const changes: readonly (readonly [what: string, code: S3Code, request: () => Sent])[] = [
  ["the method", "SignatureDoesNotMatch", () => ({ ...get(), method: "DELETE" })],
  ["the method to one that reads", "SignatureDoesNotMatch", () => ({ ...get(), method: "HEAD" })],
  ["the bucket", "SignatureDoesNotMatch", () => ({ ...get(), bucket: "other" })],
  ["the bucket of all", "SignatureDoesNotMatch", () => ({ ...get(), bucket: undefined })],
  ["the key", "SignatureDoesNotMatch", () => replaced(get(), "/a", "/b")],
  ["a slash more", "SignatureDoesNotMatch", () => replaced(get(), "/a", "//a")],
  ["a slash at the end", "SignatureDoesNotMatch", () => replaced(get(), "/a", "/a/")],
  ["a dot segment", "SignatureDoesNotMatch", () => replaced(get(), "/a", "/./a")],
  ["the key's encoding", "SignatureDoesNotMatch", () => replaced(get(), "/a", "/%61")],
  ["the query into the key", "SignatureDoesNotMatch", () => replaced(upload(), "?uploadId=u&", "%3FuploadId=u?")],
  ["the key's id", "InvalidAccessKeyId", () => replaced(get(), "EXAMPLE", "EXAMPLF")],
  ["no key's id", "AccessDenied", () => replaced(get(), /AWSAccessKeyId=[^&]*&/, "")],
  ["two keys' ids", "InvalidArgument", () => replaced(get(), /$/, `&AWSAccessKeyId=${accessKeyId}`)],
  ["the expiry", "SignatureDoesNotMatch", () => replaced(get(), "1796114241", "1796114242")],
  ["the expiry's digits", "SignatureDoesNotMatch", () => replaced(get(), "1796114241", "01796114241")],
  ["the expiry into the past", "AccessDenied", () => replaced(get(), "1796114241", "1796110640")],
  ["the expiry to no number", "AccessDenied", () => replaced(get(), "1796114241", "1e15")],
  ["the expiry to more than is a number", "AccessDenied", () => replaced(get(), "1796114241", "9".repeat(17))],
  ["no expiry", "AccessDenied", () => replaced(get(), /&Expires=\d+/, "")],
  ["two expiries", "InvalidArgument", () => replaced(get(), /$/, "&Expires=1896114241")],
  ["a letter of the signature", "SignatureDoesNotMatch", () => replaced(get(), "oDnw", "oDnx")],
  ["a letter that holds fewer bits", "SignatureDoesNotMatch", () => replaced(get(), "oDnw%3D", "oDnx%3D")],
  ["the signature's end", "SignatureDoesNotMatch", () => replaced(get(), "oDnw%3D", "oDnw")],
  ["the signature's alphabet", "SignatureDoesNotMatch", () => replaced(get(), "KpJO%2F", "KpJO_")],
  ["an empty signature", "SignatureDoesNotMatch", () => replaced(get(), /Signature=[^&]*/, "Signature=")],
  ["a signature of many bytes", "SignatureDoesNotMatch", () => replaced(get(), /Signature=[^&]*/, `Signature=${"%C3%BC".repeat(28)}`)],
  ["no signature", "AccessDenied", () => replaced(get(), /&Signature=[^&]*/, "")],
  ["two signatures", "InvalidArgument", () => replaced(get(), /$/, "&Signature=x")],
  ["a part of the object more", "SignatureDoesNotMatch", () => replaced(get(), "?", "?acl&")],
  ["an upload more", "SignatureDoesNotMatch", () => replaced(get(), "?", "?uploadId=u&")],
  ["an upload's id", "SignatureDoesNotMatch", () => replaced(part(), "up%2Bload", "up%2Bloaf")],
  ["no upload's id", "SignatureDoesNotMatch", () => replaced(part(), /&uploadId=[^&]*/, "")],
  ["a part's number", "SignatureDoesNotMatch", () => replaced(part(), "partNumber=7", "partNumber=8")],
  ["a part's number twice", "SignatureDoesNotMatch", () => replaced(part(), "partNumber=7", "partNumber=7&partNumber=8")],
  ["two parameters into one", "InvalidArgument", () => replaced(part(), "&uploadId=", "%26uploadId%3D")],
  ["a header of the answer", "SignatureDoesNotMatch", () => replaced(override(), "=de&", "=en&")],
  ["a header of the answer more", "SignatureDoesNotMatch", () => replaced(get(), "?", "?response-content-type=text%2Fhtml&")],
  ["a header of the answer less", "SignatureDoesNotMatch", () => replaced(override(), "&response-content-language=de", "")],
  ["the case of a header of the answer", "AccessDenied", () => replaced(override(), "response-content-l", "Response-content-l")],
  ["a part that version 2 does not sign", "AccessDenied", () => replaced(get(), "?", "?attributes&")],
  ["a prefix", "AccessDenied", () => replaced(bucketAlone(), "?", "?prefix=a&")],
  ["another listing", "AccessDenied", () => replaced(bucketAlone(), "?", "?list-type=2&")],
  ["an unknown parameter", "AccessDenied", () => replaced(get(), "?", "?x-id=GetObject&")],
  ["an unknown parameter of a change", "AccessDenied", () => replaced(put(), "?", "?x&")],
  ["a header of S3 more", "SignatureDoesNotMatch", () => withHeader(put(), "x-amz-meta-a", "1")],
  ["a source more", "SignatureDoesNotMatch", () => withHeader(bare(), "X-Amz-Copy-Source", "/b/k")],
  ["a header of S3 more in the query", "SignatureDoesNotMatch", () => replaced(put(), /$/, "&X-Amz-Meta-A=1")],
  ["a header of S3 less", "SignatureDoesNotMatch", () => replaced(put(), "&x-amz-acl=private", "")],
  ["a header of S3", "SignatureDoesNotMatch", () => replaced(put(), "x-amz-meta-z=1", "x-amz-meta-z=2")],
  ["a header of S3 in its blanks", "SignatureDoesNotMatch", () => replaced(put(), "x-amz-meta-z=1", "x-amz-meta-z=1%20")],
  ["a header of S3 beside the query", "InvalidArgument", () => withHeader(put(), "x-amz-meta-z", "2")],
  ["a header of S3 twice in the query", "InvalidArgument", () => replaced(put(), "x-amz-meta-z=1", "x-amz-meta-z=1&X-Amz-Meta-Z=2")],
  ["a header of S3 twice", "InvalidArgument", () => withHeader(withHeader(replaced(put(), "&x-amz-meta-z=1", ""), "x-amz-meta-z", "1"), "x-amz-meta-z", "1")],
  ["two headers of S3 into one", "InvalidArgument", () => replaced(put(), "=ada%2C%20b&x-amz-meta-z=1", "=ada%2C%20b%0Ax-amz-meta-z%3A1")],
  ["the name of a header of S3", "AccessDenied", () => replaced(source(), "copy-source=examplebucket%3A", "copy-source%3Aexamplebucket=")],
  ["a letter in the name of a header of S3", "AccessDenied", () => replaced(source(), "-source", "-%C5%B3ource")],
  ["how the checksum is asked for", "SignatureDoesNotMatch", () => replaced(head(), "ENABLED", "enabled")],
  ["the hash of the body", "SignatureDoesNotMatch", () => withHeader(put(), "x-amz-content-sha256", "UNSIGNED-PAYLOAD")],
  ["chunks", "SignatureDoesNotMatch", () => withHeader(put(), "x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")],
  ["the type", "SignatureDoesNotMatch", () => replaced(put(), "content-type=text", "content-type=test")],
  ["the type more", "SignatureDoesNotMatch", () => withHeader(get(), "Content-Type", "text/html")],
  ["the type less", "SignatureDoesNotMatch", () => replaced(put(), /&content-type=[^&]*/, "")],
  ["the type beside the query", "InvalidArgument", () => withHeader(put(), "Content-Type", "text/html")],
  ["the type twice", "InvalidArgument", () => withHeader(withHeader(replaced(put(), /&content-type=[^&]*/, ""), "Content-Type", "text/plain; charset=utf-8"), "Content-Type", "text/html")],
  ["the MD5", "SignatureDoesNotMatch", () => replaced(put(), "XUFA", "XUFB")],
  ["the MD5 less", "SignatureDoesNotMatch", () => replaced(put(), /&content-md5=[^&]*/, "")],
  ["the MD5 into the type", "InvalidArgument", () => replaced(put(), /&content-type=[^&]*&content-md5=[^&]*/, "&content-md5=XUFAKrxLKna5cZ2REBfFkg%3D%3D%0Atext%2Fplain%3B%20charset%3Dutf-8")],
  ["a session", "InvalidToken", () => withHeader(get(), "x-amz-security-token", "x")],
  ["a session in the query", "InvalidToken", () => replaced(get(), /$/, "&x-amz-security-token=x")],
  ["a signature in Authorization", "InvalidArgument", () => withHeader(get(), "Authorization", "AWS4-HMAC-SHA256 x")],
  ["a signature of version 2 in Authorization", "InvalidArgument", () => withHeader(get(), "Authorization", `AWS ${accessKeyId}:x`)],
  ["a signature of version 4 in the query", "InvalidArgument", () => replaced(get(), /$/, "&X-Amz-Signature=00")],
  ["the algorithm of version 4 in the query", "InvalidArgument", () => replaced(get(), /$/, "&X-Amz-Algorithm=AWS4-HMAC-SHA256")],
]; // biome-ignore format: a table

describe("a presigned request of version 2", () => {
  for (const [what, example] of Object.entries(examples)) {
    it(`is right for ${what}`, () => {
      const atMs = what.includes("AWS's own") ? 0 : madeAtMs;
      const { grant, payload, isPresigned } = verify(example(), verifierAt(atMs));
      assert.deepEqual([grant.token, payload.kind, isPresigned], ["test", "unsigned", true]);
    });
  }

  for (const [what, code, request] of changes) {
    it(`is refused with ${code} after a change of ${what}`, () => refused(code, () => verify(request())));
  }

  it("is refused with another secret, and with a key that the cluster does not have", () => {
    refused("SignatureDoesNotMatch", () => verify(get(), verifierAt(madeAtMs, { secret: "another secret" })));
    refused("InvalidAccessKeyId", () => verify(get(), verifierAt(madeAtMs, { id: "AKIAOTHER" })));
  });

  it("counts until it expires, however far that is", () => {
    assert.ok(verify(get(), verifierAt(expires * 1_000)));
    refused("AccessDenied", () => verify(get(), verifierAt(expires * 1_000 + 1)), /expired/);
    assert.ok(verify(get(), verifierAt(0)));
  });

  it("has its headers in the query, or as headers, or as both", () => {
    const inHeader = replaced(put(), "&x-amz-meta-z=1", "");
    assert.ok(verify(withHeader(inHeader, "X-Amz-Meta-Z", "1")));
    assert.ok(verify(withHeader(put(), "x-amz-meta-z", "1")));
    assert.ok(verify(withHeader(put(), "Content-Type", "text/plain; charset=utf-8")));
    const unnamed = replaced(put(), /&content-type=[^&]*/, "");
    assert.ok(verify(withHeader(unnamed, "content-type", "text/plain; charset=utf-8")));
  });

  it("is over the name of a header, whatever its value looks like", () => {
    assert.ok(verify(source()));
  });

  it("is over a part that has no value", () => {
    const acl = signed(`GET\n\n\n${expires}\n/${bucket}/a?acl`, "&acl=", { method: "GET" });
    assert.ok(verify(acl));
    refused("SignatureDoesNotMatch", () => verify(replaced(acl, "&acl=", "&torrent")));
    refused("SignatureDoesNotMatch", () => verify(replaced(acl, "&acl=", "&acl&acl")));
  });

  it("is for no other operation by what follows an ampersand in the name of a file", () => {
    const text = `GET\n\n\n${expires}\n/${bucket}/a?response-content-disposition=x&uploadId=u`;
    const named = signed(text, "&response-content-disposition=x%26uploadId%3Du", { method: "GET" });
    assert.ok(verify(named));
    refused("InvalidArgument", () => verify(replaced(named, "%26uploadId%3D", "&uploadId=")));
  });

  it("is over the bytes of a header that is not ASCII", () => {
    const request = signed(`PUT\n\n\n${expires}\nx-amz-meta-a:voilà\n/${bucket}/a`, "", { method: "PUT" });
    assert.ok(verify(withHeader(request, "x-amz-meta-a", Buffer.from("voilà").toString("latin1"))));
    assert.ok(verify(replaced(request, /$/, "&x-amz-meta-a=voil%C3%A0")));
  });

  it("binds the body by its hash, if that is signed, and takes no chunks", () => {
    const of = (hash: string): Sent =>
      withHeader(
        signed(`PUT\n\n\n${expires}\nx-amz-content-sha256:${hash}\n/${bucket}/a`, "", { method: "PUT" }),
        "x-amz-content-sha256",
        hash,
      );
    const sha256 = "a".repeat(64);
    assert.deepEqual(verify(of(sha256)).payload, { kind: "hashed", sha256 });
    refused("InvalidRequest", () => verify(of("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")), /version 4/);
    refused("InvalidRequest", () => verify(of("STREAMING-UNSIGNED-PAYLOAD-TRAILER")), /version 4/);
  });

  it("says which parameter is not signed, whatever the signature", () => {
    const says = /"prefix".*version 4/;
    refused("AccessDenied", () => verify(replaced(get(), "?", "?prefix=a&")), says);
    refused(
      "AccessDenied",
      () => verify(replaced(get(), /\?.*/, "?AWSAccessKeyId=x&Signature=x&Expires=0&prefix=a")),
      says,
    );
  });
});
