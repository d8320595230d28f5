/** Places for uploads: how much memory each counts, and who of those that wait is let in. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Grant } from "../../../../src/access/grant.ts";
import { isOperatingError } from "../../../../src/base/errors.ts";
import type { Exchange } from "../../../../src/http/server/exchange.ts";
import { NodeShares } from "../../../../src/http/server/node-shares.ts";
import { type UploadPlace, UploadPlaces } from "../../../../src/http/server/upload-places.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { turn } from "../../../harness/scripted-network.ts";

const others = { inFlightBytes: 1_000_000, unreadBytes: 1, downloads: 1, requests: 1, listings: 1, connections: 1 };
const maxWaitMs = 50_000;

class Trial {
  readonly clock = new ManualClock();
  readonly shares = new NodeShares({ ...others, uploads: 100, uploadBytes: 100 });
  readonly places = new UploadPlaces(this.clock, { maxStreamBytes: 1_000, partBytes: 10 }, this.shares);
  /** Those that were let in or refused, in order. */
  readonly ends: string[] = [];
  /** By caller, its places. */
  readonly taken = new Map<string, UploadPlace[]>();
  readonly #grants = new Map<string, Grant>();

  /** A request whose body is whole: its place can't be taken back. */
  exchange(caller: string, length = 0): Exchange {
    const grant = this.#grants.get(caller) ?? new Grant("", [], "", caller);
    this.#grants.set(caller, grant);
    const request = { socket: {}, headers: { "content-length": String(length) }, readableEnded: false };
    return { request, response: {}, grant, reader: undefined } as unknown as Exchange;
  }

  async wait(caller: string, bytes: number, length = 0): Promise<void> {
    this.places.wait(this.exchange(caller, length), bytes, maxWaitMs).then(
      (place) => {
        this.ends.push(`${caller} ${bytes}`);
        this.taken.set(caller, [...(this.taken.get(caller) ?? []), place]);
      },
      (error: unknown) => this.ends.push(`${caller} ${bytes} ${isOperatingError(error) ? error.code : String(error)}`),
    );
    await turn();
  }

  /** Another place of the caller's is free, and those that wait look for it. */
  async release(caller: string): Promise<void> {
    this.taken.get(caller)?.shift()?.release();
    await this.pass(50);
  }

  async pass(ms: number): Promise<void> {
    await turn();
    this.clock.advance(ms);
    await turn();
  }
}

describe("a place for an upload", () => {
  it("counts what a member keeps for it: one part, smaller for a small value and larger for a very large one", () => {
    const trial = new Trial();
    const { places, shares } = trial;
    const bytesFor = (length: number | undefined): number => {
      const place = places.take(trial.exchange("a"), length);
      const bytes = shares.used("upload_bytes");
      place.release();
      return bytes;
    };
    assert.deepEqual([bytesFor(5), bytesFor(500), bytesFor(undefined), bytesFor(200_001)], [5, 10, 10, 21]);
    assert.throws(() => places.take(trial.exchange("a"), 1_000_001), { code: "overloaded" });
    assert.deepEqual([shares.used("upload_bytes"), shares.used("uploads")], [0, 0]);
  });

  it("that is large is waited for until as much has passed it as there is, and no longer", async () => {
    const trial = new Trial();
    for (let count = 0; count < 8; count++) await trial.wait("a", 10);
    await trial.wait("a", 60);
    for (let count = 0; count < 12; count++) await trial.wait("a", 10);
    assert.equal(trial.ends.length, 8);
    for (let count = 0; count < 10; count++) await trial.release("a");
    assert.equal(trial.ends.filter((end) => end === "a 10").length, 18, "ten have passed");
    for (let count = 0; count < 8; count++) await trial.release("a");
    assert.deepEqual(trial.ends.slice(18, 19), ["a 60"], "nobody has passed it again");
    await trial.release("a");
    assert.deepEqual(trial.ends.slice(19), ["a 10", "a 10"]);
  });

  it("of a caller that has less is not taken for ever by another one, who comes first otherwise", async () => {
    const trial = new Trial();
    for (let count = 0; count < 8; count++) await trial.wait("greedy", 10);
    await trial.wait("modest", 40);
    for (let count = 0; count < 30; count++) await trial.wait("greedy", 10);
    for (let count = 0; count < 10; count++) await trial.release("greedy");
    assert.equal(trial.ends.length, 18);
    await trial.wait("least", 10);
    assert.deepEqual(trial.ends.slice(18), ["least 10"], "it has less yet");
    while (!trial.ends.includes("modest 40")) await trial.release("greedy");
    assert.deepEqual(trial.ends.slice(19, 20), ["modest 40"]);
    assert.ok(trial.shares.used("upload_bytes") >= 80, "no more has left than was needed");
  });

  it("that is large holds up the others for some seconds, where what it waits for does not go away", async () => {
    const trial = new Trial();
    for (let count = 0; count < 8; count++) await trial.wait("a", 10);
    await trial.wait("a", 90);
    for (let count = 0; count < 11; count++) await trial.wait("a", 10);
    for (let count = 0; count < 11; count++) await trial.release("a");
    assert.equal(trial.ends.length, 8 + 10);
    for (let waitedMs = 0; waitedMs < 10_200; waitedMs += 50) await trial.pass(50);
    assert.deepEqual(trial.ends.slice(18), ["a 10"]);
  });

  it("is refused after some time, and then holds up nobody", async () => {
    const trial = new Trial();
    await trial.wait("a", 80);
    await trial.wait("a", 60);
    await trial.pass(maxWaitMs);
    assert.deepEqual(trial.ends, ["a 80", "a 60 overloaded"]);
    await trial.release("a");
    await trial.wait("a", 100);
    assert.deepEqual(trial.ends.slice(2), ["a 100"]);
  });

  it("that is waited for counts what may have come of the body meanwhile, and no longer", async () => {
    const trial = new Trial();
    const unread = (): number => trial.shares.used("body_bytes");
    await trial.wait("a", 80, 300_000);
    assert.equal(unread(), 0, "it need not wait");
    await trial.wait("a", 60, 300_000);
    await trial.wait("a", 60, 1_000);
    assert.equal(unread(), 131_072 + 1_000);
    await trial.release("a");
    assert.deepEqual([trial.ends, unread()], [["a 80", "a 60"], 1_000]);
    await trial.pass(maxWaitMs);
    assert.deepEqual([trial.ends.at(-1), unread()], ["a 60 overloaded", 0]);
  });

  it("is refused to one whose body has no room while it waits, and to one whose room another caller needs", async () => {
    const trial = new Trial();
    await trial.wait("a", 80, 300_000);
    for (let count = 0; count < 8; count++) await trial.wait("a", 60, 300_000);
    assert.deepEqual(trial.ends.slice(1), ["a 60 overloaded", "a 60 overloaded"], "four fifths of the room for bodies");
    const share = trial.shares.take("body_bytes", trial.exchange("b"), 300_000);
    assert.ok(share);
    await trial.pass(50);
    assert.equal(trial.ends.length, 4);
    share.release();
    await trial.pass(maxWaitMs);
    assert.equal(trial.shares.used("body_bytes"), 0);
  });
});
