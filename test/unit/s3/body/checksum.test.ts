/** The checksums of S3, against the check values of their own definitions. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import {
  beginChecksum,
  checksumAlgorithms,
  isChecksum,
  isChecksumOfNothing,
} from "../../../../src/s3/body/checksum.ts";

const text = Buffer.from("123456789");

/** Of the nine digits, as the catalogue of CRCs gives them. */
const checks = {
  crc32: Buffer.from("cbf43926", "hex"),
  crc32c: Buffer.from("e3069283", "hex"),
  crc64nvme: Buffer.from("ae8b14860a799888", "hex"),
  sha1: createHash("sha1").update(text).digest(),
  sha256: createHash("sha256").update(text).digest(),
} as const;

describe("a checksum of S3", () => {
  for (const algorithm of checksumAlgorithms) {
    it(`of the kind ${algorithm} is that of its definition, however the bytes come`, async () => {
      for (const cut of [0, 1, 4, 9]) {
        const running = beginChecksum(algorithm);
        running.update(text.subarray(0, cut));
        running.update(text.subarray(cut));
        assert.equal(await running.digest(), checks[algorithm].toString("base64"));
      }
    });

    it(`of the kind ${algorithm} is known of nothing`, async () => {
      const nothing = await beginChecksum(algorithm).digest();
      assert.ok(isChecksumOfNothing(algorithm, nothing));
      assert.ok(!isChecksumOfNothing(algorithm, checks[algorithm].toString("base64")));
    });

    it(`of the kind ${algorithm} is taken in its only spelling`, () => {
      const right = checks[algorithm].toString("base64");
      assert.ok(isChecksum(algorithm, right));
      for (const wrong of ["", right.slice(1), `${right}=`, right.replace(/=*$/, ""), ` ${right}`, `${right}AAAA`]) {
        if (wrong !== right) assert.ok(!isChecksum(algorithm, wrong), wrong);
      }
    });
  }
});
