/** CRCs of parts put together are those of the whole. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Turns } from "../../../../src/http/server/turns.ts";
import { beginChecksum } from "../../../../src/s3/body/checksum.ts";
import { joinCrcs } from "../../../../src/s3/uploads/crc-join.ts";
import { seedOf } from "../../../harness/seed.ts";
import { SimRandom } from "../../../harness/sim-random.ts";

const turns = new Turns().of("test");

async function crcOf(algorithm: "crc32" | "crc32c" | "crc64nvme", bytes: Buffer): Promise<Buffer> {
  const checksum = beginChecksum(algorithm);
  checksum.update(bytes);
  return Buffer.from(await checksum.digest(), "base64");
}

describe("the CRCs of parts", () => {
  for (const algorithm of ["crc32", "crc32c", "crc64nvme"] as const) {
    it(`are joined to that of the whole: ${algorithm}`, async (t) => {
      const random = new SimRandom(seedOf(t));
      for (let round = 0; round < 20; round++) {
        const sizes = Array.from({ length: 1 + Math.floor(random.next() * 150) }, () =>
          random.next() < 0.5 ? 64 : Math.floor(random.next() * 1_000),
        );
        const parts = sizes.map((size) => Buffer.from(Array.from({ length: size }, () => random.next() * 256)));
        const sums = await Promise.all(
          parts.map(async (part) => ({ bytes: await crcOf(algorithm, part), size: part.length })),
        );
        const whole = await crcOf(algorithm, Buffer.concat(parts));
        assert.deepEqual(await joinCrcs(algorithm, sums, turns), whole, JSON.stringify(sizes));
      }
    });
  }

  it("are joined in many turns of the event loop", async (t) => {
    const next = t.mock.method(turns, "next");
    const part = { bytes: Buffer.alloc(8, 1), size: 5 * 1024 * 1024 };
    await joinCrcs(
      "crc64nvme",
      Array.from({ length: 640 }, () => part),
      turns,
    );
    // 5 has two binary digits that are 1.
    assert.equal(next.mock.callCount(), (640 * 2) / 64);
  });
});
