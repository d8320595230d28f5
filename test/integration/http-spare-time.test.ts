/** What counts as a small request, which large ones leave time to, and which ones wait for spare time. */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import { HttpHost } from "../harness/http-host.ts";
import { sendS3, testKeyRule } from "../harness/s3-request.ts";

const large = Buffer.alloc(2_000_000, "x");

class Told {
  small = 0;
  waits = 0;

  served(): void {
    this.small++;
  }

  wait(): Promise<void> {
    this.waits++;
    return Promise.resolve();
  }
}

test("small requests of both dialects are told, large ones wait for spare time and are no small ones", async () => {
  const told = new Told();
  const s3 = { buckets: [{ name: "all", prefix: "" }], createBuckets: false, domain: undefined };
  await using host = await HttpHost.start(
    { maxValueBytes: 1_000_000, maxStreamBytes: 10_000_000 },
    { s3, s3Alone: true, spare: told },
  );
  host.access.setRules({ tokens: [], s3Keys: [{ ...testKeyRule, allow: ["read", "write"] }] });
  const put = (path: string, body: string | Buffer, headers = {}) =>
    sendS3(host, { method: "PUT", path, body, headers });
  assert.equal((await put("/all/a", "small")).status, 200);
  assert.equal((await sendS3(host, { method: "GET", path: "/all/a" })).status, 200);
  // It is a small one, too, though it is hashed in turns.
  const whole = large.subarray(0, 1_000_000);
  const checksum = { "x-amz-checksum-sha256": hash("sha256", whole, "base64") };
  assert.equal((await put("/all/whole", whole, checksum)).status, 200);
  assert.deepEqual([told.small, told.waits], [3, 0]);
  assert.equal((await put("/all/b", large)).status, 200);
  assert.equal(told.small, 3);
  const byS3 = told.waits;
  assert.ok(byS3 >= 4, `${byS3} turns of ${large.length} bytes`);

  host.access.setRules({ names: ["test", "a"] });
  assert.equal((await host.request("PUT", "/kv/c", [], "small")).status, 204);
  assert.equal((await host.request("GET", "/kv/none")).status, 404);
  assert.deepEqual([told.small, told.waits], [5, byS3]);
  assert.equal((await host.request("PUT", "/kv/d", [], large)).status, 204);
  assert.equal(told.small, 5);
  assert.ok(told.waits >= byS3 + 4, `${told.waits - byS3} turns of ${large.length} bytes`);
});
