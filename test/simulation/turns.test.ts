/**
 * No turn of the event loop is linear in what a buffer holds: while it runs no ping is answered, and peers take the
 * member for lost. How long a turn takes is not the same twice. So what is counted is how often a key's owners are
 * looked up in one turn: whatever goes through all keys does that.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Entry, footprint, noHeaders } from "../../src/core/entry.ts";
import { Ring } from "../../src/core/ring.ts";
import { formatView, type View, type ViewMember, viewName } from "../../src/core/view.ts";
import { type Journal, nothingRecovered, type Recovered } from "../../src/journal/journal.ts";
import { noJournal } from "../../src/journal/no-journal.ts";
import { Participant } from "../../src/member/participant.ts";
import { settingsOf } from "../harness/key-fixtures.ts";
import { memberOf, viewOf } from "../harness/view-fixtures.ts";
import { type MemberParts, SimHost } from "./sim-cluster.ts";
import { type DataFolder, memoryFolder } from "./sim-folder.ts";
import { defaultNetworkSettings, SimNetwork } from "./sim-network.ts";
import { SimStore } from "./sim-store.ts";
import { SimWorld } from "./sim-world.ts";
import { healthyStore, type StoreFaultSettings } from "./store-faults.ts";

const ids = ["a", "b", "c"];
/** In all; each of three nodes holds two thirds of them. */
const keys = 30_000;
const sliceItems = 200;
/** A slice looks up each key in a few rings, a message of a hand-off has 500 keys, and a flusher looks at 1,000. */
const mostLookUps = 3_000;
const withinMs = 200_000;
/** How often to look whether what is waited for has come: a look costs more than most events. */
const lookMs = 10;

test("a member with a full buffer starts, loses a peer, takes it back, is dropped, lists, flushes and leaves in short turns", async () => {
  const members = ids.map((id) => memberOf(id));
  const cluster = new FullCluster({ ...viewOf(5, members), settled: true });
  const [a, b, c] = cluster.hosts as [SimHost, SimHost, SimHost];
  await cluster.settled("start", 3);
  c.crash();
  await cluster.settled("loss", 2);
  c.loseFolder();
  c.start();
  await cluster.settled("return", 3);
  a.process?.pause();
  await cluster.until("drop", () => b.member?.status().members.length === 2);
  a.process?.resume();
  await cluster.settled("a dropped member joins again", 3);
  const query = { prefix: "", delimiter: "", after: "", limit: 100 };
  await cluster.ended("listing", (of) => of.operations.list(query));
  await cluster.ended("flush", async (of) => {
    for await (const { keys: left } of of.operations.flush(new AbortController().signal)) if (left > 0) return;
  });
  let hasLeft = false;
  c.stop(() => {
    hasLeft = true;
  });
  await cluster.until("leaving", () => hasLeft);
  const long = [...cluster.lookUps].filter(([, most]) => most > mostLookUps);
  assert.deepEqual(long, []);
  assert.ok(
    [...cluster.lookUps.values()].some((most) => most > sliceItems),
    "what is counted was not seen",
  );
});

test("a member whose keys are all due, as its buffer has hardly any room left, takes a peer back in short turns", async () => {
  const view = {
    ...viewOf(
      5,
      ids.map((id) => memberOf(id)),
    ),
    settled: true,
  };
  const cluster = new FullCluster(view, { minLatencyMs: 100 });
  const [a, , c] = cluster.hosts as [SimHost, SimHost, SimHost];
  await cluster.settled("start", 3);
  c.crash();
  c.loseFolder();
  await cluster.settled("loss", 2);
  await cluster.until("flushes", () => a.member?.gauges?.()?.flushesUnderWay === 8);
  // It holds nothing, and adopts the view before the others, which so have a lease while they adopt it.
  c.start();
  await cluster.settled("return", 3);
  const long = [...cluster.lookUps].filter(([, most]) => most > mostLookUps);
  assert.deepEqual(long, []);
});

test("a member that has taken over what was held before does not keep it a second time", async () => {
  const members = ids.map((id) => memberOf(id));
  const cluster = new FullCluster({ ...viewOf(5, members), settled: true });
  await cluster.settled("start", 3);
  // What was made in this turn is kept until its end.
  await nextTurn();
  setFlagsFromString("--expose-gc");
  runInNewContext("gc()");
  assert.deepEqual(
    cluster.recovered.map((each) => each.deref()?.entries.length),
    [undefined, undefined, undefined],
  );
});

/**
 * A settled cluster whose nodes find their buffers full at their first start. Nothing is flushed by itself, unless a
 * slow store is given: then all is due.
 */
class FullCluster {
  readonly world = new SimWorld({ seed: 1 });
  readonly hosts: readonly SimHost[];
  /** The most look-ups in one turn, by what went on. */
  readonly lookUps = new Map<string, number>();
  /** What the members were told to have held before. */
  readonly recovered: WeakRef<Recovered>[] = [];
  readonly #participants = new Map<string, Participant>();

  constructor(view: View, slowness?: Partial<StoreFaultSettings>) {
    const { world } = this;
    const store = new SimStore({
      modes: { tags: "md5", ignoresRemoveConditions: false },
      faults: { ...healthyStore, ...slowness },
      random: world.random("store"),
      scheduler: world,
      dateMs: () => Math.floor(world.now),
    });
    store.write(viewName, { body: formatView(view), headers: noHeaders }, { kind: "always" });
    const held = entriesOf(view.members);
    const heldBytes = held.get("a")?.reduce((bytes, entry) => bytes + footprint(entry), 0) ?? 0;
    const cluster = {
      world,
      network: new SimNetwork(world, defaultNetworkSettings),
      store,
      clocks: { maxRateError: 0.01, maxTimerDelayMs: 1 },
      factory: (parts: MemberParts) => {
        const participant = new Participant(parts);
        this.#participants.set(parts.host.id, participant);
        return participant;
      },
      makeFolder: (name: string): DataFolder => {
        const member = view.members.find(({ id }) => name === `${id}-1`);
        return {
          name,
          id: undefined,
          bytes: 0,
          open: (process) =>
            Promise.resolve(
              member ? this.#journalWith(member, held.get(member.id) ?? [], view) : noJournal(process.random.id()),
            ),
          crash: () => undefined,
          snapshot: () => memoryFolder(name),
          syncs: 0,
          setFaults: () => undefined,
        };
      },
      onEnd: () => undefined,
    };
    const settings = settingsOf({
      admission: { dirtyBytes: slowness ? heldBytes : 1e9, refusedBytes: 1e9, waitMs: 500 },
      slices: { items: sliceItems, pauseMs: 0 },
      flush: {
        delayMs: 3_600_000,
        pace: { initialConcurrency: 8, maxConcurrency: 64 },
        backoff: { minMs: 100, maxMs: 1_000 },
      },
      stopMs: 60_000,
    });
    this.hosts = ids.map((id) => new SimHost(cluster, { id, startMs: 0, weight: 1, zone: undefined, settings }, ids));
    for (const host of this.hosts) host.start();
  }

  /** Tells once what it has, as a journal forgets it with the first record that is appended. */
  #journalWith({ folder }: ViewMember, entries: Entry[], { epoch }: View): Journal {
    let recovered: Recovered | undefined = { entries, outcomes: [], late: [], adopted: [epoch], cluster: "c1" };
    this.recovered.push(new WeakRef(recovered));
    return {
      ...noJournal(folder),
      get recovered() {
        const once = recovered ?? nothingRecovered;
        recovered = undefined;
        return once;
      },
    };
  }

  async settled(what: string, count: number): Promise<void> {
    await this.until(what, () =>
      this.hosts
        .filter((host) => host.running !== undefined)
        .every((host) => {
          const status = host.member?.status();
          return host.ready && status?.settled === true && status.members.length === count;
        }),
    );
  }

  /** Until the operation at b has ended. */
  async ended(what: string, operation: (of: Participant) => Promise<unknown>): Promise<void> {
    let hasEnded = false;
    void operation(this.#participants.get("b") as Participant).finally(() => {
      hasEnded = true;
    });
    await this.until(what, () => hasEnded);
  }

  /** Counts look-ups in each event, until it holds. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const ownersAt = Reflect.get(Ring.prototype, "ownersAt") as (this: Ring, position: number) => readonly string[];
    let count = 0;
    let most = 0;
    let lookedMs = Number.NEGATIVE_INFINITY;
    Ring.prototype.ownersAt = function (this: Ring, position: number) {
      count++;
      return ownersAt.call(this, position);
    };
    try {
      const isMet = await this.world.run(this.world.now + withinMs, () => {
        most = Math.max(most, count);
        count = 0;
        if (this.world.now < lookedMs + lookMs) return false;
        lookedMs = this.world.now;
        const met = condition();
        count = 0;
        return met;
      });
      assert.ok(isMet, `${what} takes too long`);
    } finally {
      Ring.prototype.ownersAt = ownersAt;
    }
    this.lookUps.set(what, most);
  }
}

/** What each of these members holds. */
function entriesOf(members: readonly ViewMember[]): Map<string, Entry[]> {
  const ring = new Ring(members, 2);
  const held = new Map<string, Entry[]>(members.map(({ id }) => [id, []]));
  for (let seq = 1; seq <= keys; seq++) {
    const key = `key-${seq}`;
    const requestId = { router: "r", counter: seq };
    const value = Buffer.from("v");
    const entry = { epoch: 5, seq, key, value, headers: noHeaders, md5: "", modifiedMs: 0, size: 1, requestId };
    for (const id of ring.ownersOf(key)) held.get(id)?.push(entry);
  }
  return held;
}
