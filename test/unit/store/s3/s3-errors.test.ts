/** What the refusals of S3 servers are taken for. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode } from "../../../../src/base/errors.ts";
import { failureError, parseFailure } from "../../../../src/store/s3/s3-errors.ts";

function xml(code: string, message = ""): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
}

const cases: readonly [number, string, ErrorCode, RegExp][] = [
  [
    403,
    xml("AccessDenied", "Access &amp; denied"),
    "store_refused",
    /AccessDenied \(HTTP 403\): Access & denied; grant s3:GetObj/,
  ],
  [403, "", "store_refused", /HTTP 403; check the access key.*grant/],
  [403, xml("SignatureDoesNotMatch"), "store_refused", /check the access key and the secret key/],
  [403, xml("RequestTimeTooSkewed"), "store_unavailable", /RequestTimeTooSkewed/],
  [404, xml("NoSuchBucket"), "store_refused", /the bucket photos does not exist/],
  [400, xml("KeyTooLongError"), "store_refused", /shorter prefix/],
  [400, '{"Code":"InvalidRequest","Message":"no"}', "store_refused", /InvalidRequest \(HTTP 400\): no/],
  [400, xml("BadDigest"), "store_unavailable", /BadDigest/],
  [400, xml("RequestTimeout"), "store_unavailable", /RequestTimeout/],
  [307, xml("TemporaryRedirect"), "store_unavailable", /TemporaryRedirect/],
  [408, "", "store_unavailable", /HTTP 408/],
  [429, "", "store_throttled", /fewer requests: HTTP 429/],
  [503, xml("SlowDown"), "store_throttled", /SlowDown/],
  [503, xml("ServiceUnavailable"), "store_unavailable", /ServiceUnavailable/],
  [500, xml("InternalError"), "store_unavailable", /InternalError/],
  [502, "<html>Bad Gateway</html>", "store_unavailable", /HTTP 502/],
  [409, xml("OperationAborted"), "store_unavailable", /OperationAborted/],
];

for (const [status, body, code, message] of cases) {
  test(`failureError, for HTTP ${status} with "${body.slice(0, 90)}", is ${code} and says why`, () => {
    const error = failureError(parseFailure(status, body, undefined), "PUT a", "photos");
    assert.equal(error.code, code);
    assert.match(error.message, message);
  });
}

test("failureError, when the bucket is in another region, names that region", () => {
  for (const [status, code] of [
    [301, ""],
    [301, "PermanentRedirect"],
    [400, "AuthorizationHeaderMalformed"],
  ] as const) {
    const error = failureError(parseFailure(status, xml(code), "eu-west-1"), "PUT a", "photos");
    assert.equal(error.code, "store_refused");
    assert.match(error.message, /photos is in the region eu-west-1/);
  }
});
