/**
 * A primary is lost with a request to the store under way, of which nobody knows. Then its successor is lost, too.
 * What the third one deletes must not come back when the request of the first one takes effect (F26, F28).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deleteOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import { StagedCluster } from "./staged-cluster.ts";

const lateEffectMs = 120_000;
const key = "k";
/** For a view to settle, and for a flush after it. */
const settleMs = 40_000;

class Course {
  readonly cluster = new StagedCluster(["a", "b", "c", "d"], { lateEffectMs });
  #late: (() => void) | undefined;
  #lateAt = 0;

  get primary(): SimHost {
    const host = this.cluster.hosts.find(({ member }) => member?.servesNow?.(key) === true);
    assert.ok(host !== undefined, "the key is served");
    return host;
  }

  get object(): string | undefined {
    return this.cluster.store.peek(key)?.body.toString();
  }

  async pass(ms: number): Promise<void> {
    await this.cluster.world.run(this.cluster.world.now + ms);
  }

  /** The primary writes the value, and is lost when its request is under way. */
  async loseWithRequest(text?: string): Promise<void> {
    const { cluster, primary } = this;
    cluster.intercept = (name, content, condition) => {
      if (name !== key || !("body" in content)) return undefined;
      cluster.intercept = () => undefined;
      this.#lateAt = cluster.world.now + lateEffectMs - 1_000;
      this.#late = () => void cluster.store.write(name, content, condition);
      primary.crash();
      return Promise.withResolvers<never>().promise;
    };
    if (text !== undefined) cluster.write(primary, key, text);
    await this.pass(settleMs);
    assert.ok(this.#late !== undefined, "a request was sent");
  }

  /** The key is removed; the lost primary's request takes effect as late as can be. */
  async removeAndWait(): Promise<void> {
    const { cluster, primary } = this;
    const removal = cluster.ask(primary, (member) => member.operations.write(deleteOf(key)));
    await this.pass(settleMs);
    assert.equal(removal.answer?.kind, "written");
    assert.ok(cluster.world.now < this.#lateAt, "it is not too late for the request");
    await this.pass(this.#lateAt - cluster.world.now);
    this.#late?.();
    await this.pass(2 * lateEffectMs);
    assert.deepEqual([this.object, await cluster.read(this.primary, key)], [undefined, undefined]);
  }
}

describe("what is deleted", () => {
  it("stays deleted, though two primaries were lost and the second one knew the object by its own write", async () => {
    const course = new Course();
    await course.pass(10_000);
    await course.loseWithRequest("old");
    assert.equal(course.object, "old", "the second one has written it");
    course.primary.crash();
    await course.pass(settleMs);
    await course.removeAndWait();
  });
});
