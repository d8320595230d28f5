/**
 * An upload that lacks a part when it is to be completed is lost for good: no next primary completes it when the part
 * has come again, over a value that was acknowledged (L6, L7).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nothingStored } from "../../src/base/errors.ts";
import { putOf } from "../harness/write-operations.ts";
import { ended, inOne } from "./course-steps.ts";
import type { SimHost } from "./sim-cluster.ts";
import { type Asked, StagedCluster } from "./staged-cluster.ts";

describe("an upload that lacks a part", () => {
  it("is not completed by a next primary, when its writer was told that nothing was stored, and the part comes again", async () => {
    const cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true });
    const { world, store, hosts } = cluster;
    const [a, b] = hosts as [SimHost, SimHost];
    await world.run(10_000);
    const key = cluster.keyOf(a, "k");
    cluster.ask(a, ({ operations }) =>
      operations.write(putOf(key, Buffer.from("acknowledged"), { durability: "stored" })),
    );
    await world.run(world.now + 5_000);
    const answered = async <T>(asked: Asked<T>): Promise<T | undefined> => (await ended(cluster, asked)).answer;
    const upload = await answered(cluster.ask(a, ({ operations }) => operations.beginUpload(key, {})));
    assert.ok(upload);
    const send = (host: SimHost, text: string): Promise<string | undefined> =>
      answered(
        cluster.ask(host, ({ operations }) =>
          operations.sendPart(key, upload, { number: 1, length: text.length, body: inOne(text) }),
        ),
      );
    const tag = await send(a, "given up");
    assert.ok(tag);
    await send(a, "over it");
    const parts = [{ number: 1, tag, size: "given up".length }];
    const completed = cluster.ask(a, ({ operations }) =>
      operations.completeUpload({ key, upload, parts, headers: {}, precondition: undefined }),
    );
    await answered(completed);
    assert.ok(completed.error?.message.endsWith(nothingStored));
    a.crash();
    await send(b, "given up");
    await world.run(world.now + 40_000);
    assert.equal(store.peek(key)?.body.toString(), "acknowledged");
    assert.equal(await cluster.read(b, key), "acknowledged");
  });
});
