/** Buckets: what a host's name says, and changes of the list of created ones by several nodes at the same time. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bucketListBytes } from "../../../src/config/s3-schema.ts";
import { Buckets, bucketsKey, type S3Rules } from "../../../src/s3/buckets.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { MemoryOperations } from "../../harness/memory-operations.ts";
import { putOf } from "../../harness/write-operations.ts";

const rules: S3Rules = { buckets: [{ name: "named", prefix: "n/" }], createBuckets: true, domain: "s3.test" };

function bucketsOver(operations: MemoryOperations): Buckets {
  return new Buckets(() => operations, new ManualClock(), rules);
}

const anyone = (): void => undefined;

async function namesIn(buckets: Buckets): Promise<string[]> {
  return (await buckets.list()).map(({ name }) => name);
}

describe("buckets that clients create", () => {
  it("are all there when two nodes create and remove different ones at the same time", async () => {
    const operations = new MemoryOperations();
    const [a, b] = [bucketsOver(operations), bucketsOver(operations)];
    await Promise.all(Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? a : b).create(`bucket-${n}`, anyone)));
    assert.equal((await namesIn(a)).length, 11);
    await Promise.all([a.remove("bucket-1", anyone), b.remove("bucket-2", anyone), a.create("more", anyone)]);
    const left = ["bucket-0", "bucket-3", "bucket-4", "bucket-5", "bucket-6", "bucket-7", "bucket-8", "bucket-9"];
    assert.deepEqual(await namesIn(b), [...left, "more", "named"]);
  });

  it("are parsed once as long as their list stays the same", async (t) => {
    const operations = new MemoryOperations();
    const [a, b] = [bucketsOver(operations), bucketsOver(operations)];
    await a.create("first", anyone);
    assert.equal((await b.find("first")).name, "first");
    const parse = t.mock.method(JSON, "parse");
    assert.equal((await b.find("first")).name, "first");
    assert.equal(parse.mock.callCount(), 0);
    await a.create("second", anyone);
    assert.equal((await b.find("second")).name, "second");
  });

  it("are created by one of two nodes that create the same one at the same time", async () => {
    const operations = new MemoryOperations();
    const [a, b] = [bucketsOver(operations), bucketsOver(operations)];
    const outcomes = await Promise.allSettled([a.create("same", anyone), b.create("same", anyone)]);
    assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
  });

  it("are not created or removed by one who may not", async () => {
    const operations = new MemoryOperations();
    const buckets = bucketsOver(operations);
    await buckets.create("mine", anyone);
    const refuse = (prefix: string): void => assert.fail(`not for ${prefix}`);
    await assert.rejects(buckets.create("other", refuse), /not for other\//);
    await assert.rejects(buckets.remove("mine", refuse), /not for mine\//);
    assert.deepEqual(await namesIn(buckets), ["mine", "named"]);
  });

  it("have a list that fits into a value, by the rule of the configuration, when it is as long as it gets", async () => {
    const operations = new MemoryOperations();
    const clock = new ManualClock();
    clock.advance(1e13);
    const buckets = new Buckets(() => operations, clock, rules);
    const most = Array.from({ length: 999 }, (_, n) => ({ name: `${n}`.padStart(63, "b"), createdMs: clock.wallMs() }));
    await operations.write(putOf(bucketsKey, Buffer.from(JSON.stringify({ buckets: most }))));
    await buckets.create("l".repeat(63), anyone);
    await assert.rejects(buckets.create("more", anyone), /there are 1000 buckets already/);
    const bytes = operations.values.get(bucketsKey)?.value?.length ?? 0;
    assert.ok(bytes > 100_000 && bytes <= bucketListBytes, String(bytes));
  });

  it("cannot be told from a value that is no list of them: nothing is overwritten then", async () => {
    const operations = new MemoryOperations();
    await operations.write(putOf(bucketsKey, Buffer.from("{}")));
    const buckets = bucketsOver(operations);
    await assert.rejects(buckets.create("new", anyone), /is no list of buckets/);
    assert.equal(operations.values.get(bucketsKey)?.value?.toString(), "{}");
  });
});

describe("the name of a host", () => {
  it("has a bucket in it if it is below the domain, and only then", () => {
    const buckets = bucketsOver(new MemoryOperations());
    const none = { isOwn: false, bucket: undefined };
    assert.deepEqual(buckets.hostNamed("a.b.S3.test:7070"), { isOwn: true, bucket: "a.b" });
    assert.deepEqual(buckets.hostNamed("s3.test"), { isOwn: true, bucket: undefined });
    for (const other of ["evils3.test", "s3.test.evil", "127.0.0.1:7070", undefined]) {
      assert.deepEqual(buckets.hostNamed(other), none, String(other));
    }
    buckets.setRules({ ...rules, domain: undefined });
    assert.deepEqual(buckets.hostNamed("a.s3.test"), none);
  });
});
