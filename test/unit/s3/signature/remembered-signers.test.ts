/**
 * What a verifier remembers of signers must be that of no other signer, and count no longer than the rules do. Requests
 * are signed here as AWS's documentation says it, step by step.
 */

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { Access, type S3KeyRule } from "../../../../src/access/access.ts";
import { type Identity, Verifier } from "../../../../src/s3/signature/verifier.ts";
import { type S3Code, S3Error } from "../../../../src/s3/words/s3-error.ts";
import { parseTarget } from "../../../../src/s3/words/target.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { seedOf } from "../../../harness/seed.ts";
import { SimRandom } from "../../../harness/sim-random.ts";

/** A moment after midnight: requests of two days are good. */
const wallMs = Date.UTC(2026, 11, 1, 0, 0, 5);
const times = ["20261130T235959Z", "20261201T000001Z", "20261201T000002Z"];
const regions = ["us-east-1", "eu-central-1", ""];
const emptyHash = createHash("sha256").update("").digest("hex");

interface Key {
  readonly id: string;
  readonly secret: string;
}

/** The last two have one id: the second is what the first is changed to. */
const ada: Key = { id: "ADA", secret: "the secret of ada" };
const bob: Key = { id: "BOB/WITH/SLASHES", secret: "the secret of bob" };
const newBob: Key = { ...bob, secret: "another secret of bob" };

interface Signed {
  readonly key: Key;
  readonly time: string;
  readonly region: string;
  readonly path: string;
  readonly meta: string | undefined;
}

const ruleOf = (name: string, { id, secret }: Key, allow: S3KeyRule["allow"] = ["read"]): S3KeyRule => ({
  name,
  accessKeyId: id,
  secret,
  allow,
});

function accessOf(...s3Keys: S3KeyRule[]): Access {
  return new Access({ tokens: [], s3Keys });
}

function verifierOf(access: Access): Verifier {
  const clock = new ManualClock();
  return new Verifier(access, {
    now: () => clock.now(),
    after: (ms, run) => clock.after(ms, run),
    wallMs: () => wallMs,
  });
}

function headersOf({ time, meta }: Signed): readonly (readonly [name: string, value: string])[] {
  const others = [["x-amz-content-sha256", emptyHash], ["x-amz-date", time]] as const; // biome-ignore format: a table
  return [["host", "h"], ...others, ...(meta === undefined ? [] : [["x-amz-meta-a", meta] as const])];
}

function signatureOf(request: Signed): string {
  const { key, time, region, path } = request;
  const headers = headersOf(request);
  const names = headers.map(([name]) => name).join(";");
  const lines = headers.map(([name, value]) => `${name}:${value}\n`).join("");
  const canonical = `GET\n${path}\n\n${lines}\n${names}\n${emptyHash}`;
  const steps = [time.slice(0, 8), region, "s3", "aws4_request"];
  const signingKey = steps.reduce<Buffer | string>(
    (derived, step) => createHmac("sha256", derived).update(step).digest(),
    `AWS4${key.secret}`,
  );
  const text = `AWS4-HMAC-SHA256\n${time}\n${steps.join("/")}\n${createHash("sha256").update(canonical).digest("hex")}`;
  return createHmac("sha256", signingKey).update(text).digest("hex");
}

function verify(verifier: Verifier, request: Signed, signature = signatureOf(request)): Identity {
  const { key, time, region, path } = request;
  const headers = headersOf(request);
  const names = headers.map(([name]) => name).join(";");
  const scope = `${key.id}/${time.slice(0, 8)}/${region}/s3/aws4_request`;
  const authorization = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=${names}, Signature=${signature}`;
  const all = [["authorization", authorization] as const, ...headers];
  const target = parseTarget(path, undefined);
  return verifier.verify({ method: "GET", target, headers: Object.fromEntries(all), rawHeaders: all.flat() });
}

function refused(code: S3Code, act: () => unknown): void {
  assert.throws(act, (error) => error instanceof S3Error && error.s3Code === code, code);
}

describe("what is remembered of signers", () => {
  it("is that of each of them, in any turn, and takes no signature of another one", (test) => {
    const random = new SimRandom(seedOf(test));
    const verifier = verifierOf(accessOf(ruleOf("ada", ada), ruleOf("bob", bob)));
    const any = (): Signed => ({
      key: random.pick([ada, bob]),
      time: random.pick(times),
      region: random.pick(regions),
      path: `/all/${random.whole(0, 9)}`,
      meta: random.pick([undefined, "x", "yy"]),
    });
    let last = any();
    for (let count = 0; count < 1_000; count++) {
      const request = any();
      assert.equal(verify(verifier, request).grant.token, request.key === ada ? "ada" : "bob");
      if (signatureOf(last) !== signatureOf(request)) {
        refused("SignatureDoesNotMatch", () => verify(verifier, request, signatureOf(last)));
      }
      last = request;
    }
  });

  it("counts no longer than the key does, and not for what another one may", () => {
    const access = accessOf(ruleOf("ada", ada), ruleOf("bob", bob));
    const verifier = verifierOf(access);
    const request: Signed = {
      key: bob,
      time: times[1] as string,
      region: "us-east-1",
      path: "/all/a",
      meta: undefined,
    };
    const changed: Signed = { ...request, key: newBob };
    assert.equal(verify(verifier, request).grant.token, "bob");
    refused("SignatureDoesNotMatch", () => verify(verifier, changed));
    access.setRules({ tokens: [], s3Keys: [ruleOf("new bob", newBob, ["write"])] });
    refused("SignatureDoesNotMatch", () => verify(verifier, request));
    const { grant } = verify(verifier, changed);
    assert.deepEqual([grant.token, grant.has("read"), grant.has("write")], ["new bob", false, true]);
    access.setRules({ tokens: [], s3Keys: [ruleOf("ada", ada)] });
    for (const each of [request, changed]) refused("InvalidAccessKeyId", () => verify(verifier, each));
    access.setRules({ tokens: [], s3Keys: [ruleOf("bob again", bob)] });
    refused("SignatureDoesNotMatch", () => verify(verifier, changed));
    assert.equal(verify(verifier, request).grant.token, "bob again");
  });
});
