/** What a node says of its S3 clients, from the server's own counts to the sentence that people read. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { s3Words } from "../../../src/core/s3-words.ts";
import type { S3Activity } from "../../../src/core/status.ts";
import { HttpMetrics } from "../../../src/http/server/metrics.ts";
import { s3Activity } from "../../../src/s3/s3-activity.ts";
import { clusterStatus } from "../../harness/status-fixtures.ts";

function wordsOf(s3: S3Activity | undefined): string | undefined {
  return s3Words(clusterStatus([], s3 && { s3 }));
}

test("S3 requests are counted by operation, whatever their methods, and those that are denied or fail", () => {
  const metrics = new HttpMetrics();
  metrics.count("/kv/", "PUT", 503, 1);
  assert.equal(s3Activity(metrics.routes()), undefined);
  assert.equal(wordsOf(undefined), undefined);
  metrics.count("s3:GetObject", "GET", 200, 1);
  assert.equal(
    wordsOf(s3Activity(metrics.routes())),
    "S3 through a since it was started: 1 request (1 GetObject), 0 denied, 0 failed.",
  );
  for (const status of [200, 204, 403, 404, 412, 500, 503]) metrics.count("s3:PutObject", "PUT", status, 1);
  metrics.count("s3:ListObjectsV2", "GET", 200, 1);
  metrics.count("s3:ListObjectsV2", "HEAD", 200, 1);
  metrics.count("s3:HeadObject", "HEAD", 404, 1);
  metrics.count("s3:other", "GET", 403, 1);
  const s3 = s3Activity(metrics.routes());
  assert.deepEqual(s3, {
    requests: 12,
    denied: 2,
    failed: 2,
    operations: { PutObject: 7, ListObjectsV2: 2, GetObject: 1, HeadObject: 1, other: 1 },
  });
  assert.deepEqual(Object.keys(s3?.operations ?? {}).slice(0, 2), ["PutObject", "ListObjectsV2"]);
  assert.equal(
    wordsOf(s3),
    "S3 through a since it was started: 12 requests (7 PutObject, 2 ListObjectsV2, 1 GetObject, 1 HeadObject and others), 2 denied, 2 failed.",
  );
});
