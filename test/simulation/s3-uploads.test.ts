/**
 * Multipart uploads by S3 over whole members in a simulated world. Their records are values of the cluster. Hosts are
 * lost and come back, and clients repeat at another host what was not answered, as SDKs do.
 */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import { type Clock, sleep } from "../../src/base/clock.ts";
import { Complaints } from "../../src/base/complaints.ts";
import { isOperatingError, OperatingError } from "../../src/base/errors.ts";
import { ClientUploads } from "../../src/s3/uploads/client-uploads.ts";
import { Completions, type ListedPart } from "../../src/s3/uploads/completion.ts";
import { S3Error } from "../../src/s3/words/s3-error.ts";
import { RecordedLog } from "../harness/recorded-log.ts";
import { seedOf } from "../harness/seed.ts";
import { SimRandom } from "../harness/sim-random.ts";
import type { RunningMember, SimHost } from "./sim-cluster.ts";
import { worldDateMs } from "./sim-process.ts";
import { StagedCluster } from "./staged-cluster.ts";

const worlds = 4;
const uploadsPerWorld = 12;
/** A client waits so long for an answer, in virtual milliseconds. */
const answerMs = 20_000;
const turns = { next: () => Promise.resolve() };

/** What a node has of S3's uploads. */
interface Front {
  readonly uploads: ClientUploads;
  readonly completions: Completions;
}

class Trial {
  readonly cluster = new StagedCluster(["a", "b", "c"], { hasDisks: true, maxValueBytes: 20_000 });
  readonly random: SimRandom;
  readonly clock: Clock;
  /** Requests that were sent again, and hosts that were lost. */
  repeats = 0;
  losses = 0;
  readonly #fronts = new WeakMap<RunningMember, Front>();

  constructor(seed: number) {
    const { world } = this.cluster;
    this.random = new SimRandom(seed);
    this.clock = {
      now: () => world.now,
      wallMs: () => worldDateMs + Math.floor(world.now),
      after: (ms, callback) => world.schedule(ms, callback),
    };
  }

  /** Asks hosts, one after another, until one has answered. A client takes its time before that. */
  async ask<T>(what: string, act: (front: Front) => Promise<T>): Promise<T> {
    await sleep(this.clock, this.random.next() * 1_500);
    for (let attempt = 0; attempt < 60; attempt++) {
      try {
        return await this.#askOne(this.random.pick(this.cluster.hosts), act);
      } catch (error) {
        if (error instanceof S3Error || !isOperatingError(error)) throw error;
        this.repeats++;
      }
      await sleep(this.clock, 500);
    }
    throw new Error(`no host answers: ${what}`);
  }

  #askOne<T>(host: SimHost, act: (front: Front) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const { member, process } = host;
      const timer = this.clock.after(answerMs, () => reject(new OperatingError("deadline_exceeded", "no answer")));
      const end = (settle: () => void): void => {
        timer.cancel();
        settle();
      };
      if (member === undefined || process === undefined) {
        end(() => reject(new OperatingError("peer_unreachable", "the host is off")));
        return;
      }
      process.schedule(0, () => {
        act(this.#frontOf(member)).then(
          (answer) => end(() => resolve(answer)),
          (error: unknown) => end(() => reject(error as Error)),
        );
      });
    });
  }

  #frontOf(member: RunningMember): Front {
    const known = this.#fronts.get(member);
    if (known !== undefined) return known;
    const { clock, random } = this;
    const complaints = new Complaints(new RecordedLog(), clock, 1);
    const operations = () => member.operations;
    const uploads = new ClientUploads({ operations, clock, random, complaints, leftoverMs: 3 * 86_400_000 });
    const parts = { operations, uploads, random, complaints, maxValueBytes: 1e6, maxMetadataBytes: 2_048 };
    const front = { uploads, completions: new Completions(parts) };
    this.#fronts.set(member, front);
    return front;
  }

  /**
   * One client's upload, which others may abort meanwhile, or complete with another list of parts. Resolves to the
   * value that its key has then. Undefined if nobody was told that it was completed.
   */
  async upload(key: string): Promise<string | undefined> {
    const [text, other] = [`value 2 of ${key}, ${this.random.id()}`, `value 1 of ${key}, ${this.random.id()}`];
    const id = await this.ask(`begin ${key}`, ({ uploads }) => uploads.begin(key, {}, undefined, "client"));
    const [first] = await Promise.all([this.#send(key, id, 1, other), this.#send(key, id, 3, "and one more")]);
    const second = await this.#send(key, id, 2, text);
    const rest = { key, id, precondition: undefined, size: text.length, checksum: undefined, holder: "client", turns };
    const complete = async (part: ListedPart, value: string): Promise<string> => {
      await this.ask(`complete ${key}`, ({ completions }) => completions.complete({ ...rest, parts: [part] }));
      return value;
    };
    const acts = [complete(second, text)];
    // Some clients are impatient, and send it twice.
    if (this.random.chance(0.3)) acts.push(complete(second, text));
    const isDisputed = this.random.chance(0.4);
    if (isDisputed && this.random.chance(0.5)) acts.push(complete(first, other));
    const abort = this.ask(`abort ${key}`, ({ uploads }) => (isDisputed ? uploads.abort(key, id) : Promise.resolve()));
    const [outcomes, aborted] = await Promise.all([Promise.allSettled(acts), Promise.allSettled([abort])]);
    for (const outcome of [...outcomes, ...aborted]) {
      if (outcome.status === "fulfilled") continue;
      const { reason } = outcome as { reason: unknown };
      const isRefused = reason instanceof S3Error && ["NoSuchUpload", "OperationAborted"].includes(reason.s3Code);
      if (!isRefused || !isDisputed) throw reason;
    }
    const values = new Set(outcomes.filter(({ status }) => status === "fulfilled").map((each) => (each as PromiseFulfilledResult<string>).value));
    assert.ok(values.size <= 1, "an upload was completed with two lists");
    return [...values][0];
  } // biome-ignore format: a long call

  async #send(key: string, id: string, number: number, text: string): Promise<ListedPart> {
    const bytes = Buffer.from(text);
    const md5 = hash("md5", bytes);
    await this.ask(`send ${key} ${number}`, async ({ uploads }) => {
      const record = await uploads.findOpen(key, id);
      const body = { number, length: bytes.length, body: once(bytes) };
      await uploads.sendPart(record, id, body, () => ({ md5, checksum: undefined }), "client");
    });
    return { number, md5, checksum: undefined };
  }

  /** One host after another is lost, and comes back. */
  async disturb(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await sleep(this.clock, this.random.next() * 3_000);
      const host = this.random.pick(this.cluster.hosts);
      if (isOver() || this.cluster.hosts.some((each) => !each.ready)) continue;
      this.losses++;
      host.crash(this.random.chance(0.5) ? "killed" : "power");
      await sleep(this.clock, this.random.next() * 6_000);
      host.start();
    }
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array, void, void> {
  yield await Promise.resolve(bytes);
}

describe("multipart uploads in a simulated cluster", () => {
  it("are completed with what their clients have listed, while hosts are lost and come back", async (t) => {
    const first = seedOf(t) % 2 ** 31;
    let [repeats, losses] = [0, 0];
    for (let seed = first; seed < first + worlds; seed++) {
      const trial = new Trial(seed);
      const { cluster } = trial;
      const { world, hosts } = cluster;
      await world.run(10_000);
      const values = new Map<string, string | undefined>();
      let isOver = false;
      const clients = async (): Promise<void> => {
        for (let n = 0; n < uploadsPerWorld; n += 3) {
          const keys = [0, 1, 2].map((each) => `key ${n + each}`);
          await Promise.all(keys.map(async (key) => values.set(key, await trial.upload(key))));
        }
        isOver = true;
      };
      clients().catch((error: unknown) => world.fail(error));
      trial.disturb(() => isOver).catch((error: unknown) => world.fail(error));
      await world.run(world.now + 3_600_000, () => isOver);
      assert.ok(isOver, `seed ${seed}: not all were completed`);
      await world.run(world.now + 60_000, () => hosts.every((host) => host.ready));
      for (const [key, text] of values) {
        const value = await cluster.read(trial.random.pick(hosts), key);
        if (text !== undefined) assert.equal(value, text, `seed ${seed}`);
      }
      repeats += trial.repeats;
      losses += trial.losses;
    }
    t.diagnostic(`${losses} hosts were lost, ${repeats} requests were repeated`);
    assert.ok(losses >= 2 * worlds && repeats >= 2 * worlds);
  });
});
