/**
 * A host whose disk fails again and again, as one that is full and gets a little room now and then: it costs the other
 * nodes at most two view changes a minute, and is back for good once its disk works (J8, J11).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openJournal } from "../../src/journal/file-journal.ts";
import { Host } from "../../src/member/host.ts";
import { putOf } from "../harness/write-operations.ts";
import type { MemberParts, RunningMember, SimHost } from "./sim-cluster.ts";
import { healthyDisk, SimDisk } from "./sim-disk.ts";
import { SimLog } from "./sim-log.ts";
import type { SimProcess } from "./sim-process.ts";
import { type Asked, StagedCluster } from "./staged-cluster.ts";

const settings = { segmentBytes: 1_000_000, liveLimitBytes: 100_000_000 };
const minuteMs = 60_000;

/** Three hosts; the disk of c works, or does not. */
class Hospital {
  readonly cluster: StagedCluster;
  readonly disk: SimDisk;
  /** How often c has opened a journal, and with how many failures before. */
  readonly opened: number[] = [];
  /** When views changed, in virtual milliseconds. */
  readonly changes: number[] = [];
  readonly asked: Asked<unknown>[] = [];
  hostC: Host | undefined;

  constructor() {
    this.cluster = new StagedCluster(["a", "b", "c"], {
      runningAt: (parts) => (parts.host.id === "c" ? this.#run(parts) : undefined),
    });
    this.disk = new SimDisk(this.cluster.world.random("disk of c"));
    const views = this.cluster.views;
    const push = views.push.bind(views);
    views.push = (...items) => {
      this.changes.push(this.cluster.world.now);
      return push(...items);
    };
  }

  get hosts(): readonly [SimHost, SimHost, SimHost] {
    return this.cluster.hosts as [SimHost, SimHost, SimHost];
  }

  setWorks(works: boolean): void {
    this.disk.setFaults(works ? healthyDisk : { ...healthyDisk, failSyncChance: 1 });
  }

  /** Clients write at the other hosts, keys of any owner. */
  writeAtOthers(): void {
    const [a, b] = this.hosts;
    let number = 0;
    const write = (): void => {
      for (const host of [a, b]) {
        const put = putOf(`key-${number++ % 50}`, Buffer.from(`value ${number}`));
        this.asked.push(this.cluster.ask(host, (member) => member.operations.write(put)));
      }
      this.cluster.world.schedule(500, write);
    };
    write();
  }

  /** The most view changes within a minute. */
  get mostInAMinute(): number {
    return Math.max(
      ...this.changes.map((at) => this.changes.filter((each) => at <= each && each < at + minuteMs).length),
    );
  }

  /** Until it holds, for so long at most. */
  async until(what: string, condition: () => boolean, ms = 20 * minuteMs): Promise<void> {
    assert.ok(await this.cluster.world.run(this.cluster.world.now + ms, condition), `${what} takes too long`);
  }

  #run(parts: MemberParts): RunningMember {
    const { world } = this.cluster;
    const process = parts.clock as SimProcess;
    const { journal: _ofHost, ...rest } = parts;
    const host = new Host({
      ...rest,
      journals: {
        open: async (failures, onFailed) => {
          this.opened.push(failures);
          const disk = this.disk.open(process);
          return await openJournal({ disk, clock: process, log: new SimLog(world, "c"), settings, onFailed });
        },
      },
    });
    this.hostC = host;
    return {
      start: async () => {
        await host.open();
        host.run().catch((error: unknown) => world.fail(error));
      },
      stop: () => host.stop(),
      setNodes: (nodes) => host.setNodes(nodes),
      leave: () => host.leave(),
      readiness: () => host.readiness(),
      status: () => host.status(),
      get operations() {
        return host.operations;
      },
    };
  }
}

describe("a host whose disk fails", () => {
  it("again a moment after each return costs two view changes a minute at most, and fails no request at the others", async () => {
    const hospital = new Hospital();
    const { cluster, hosts, changes } = hospital;
    const [a, , c] = hosts;
    const isIn = (): boolean =>
      c.ready && a.member?.status().settled === true && a.member.status().members.length === 3;
    await hospital.until("the start", isIn);
    hospital.writeAtOthers();
    await cluster.world.run(cluster.world.now + minuteMs);
    changes.length = 0;
    const began = cluster.world.now;
    for (let round = 1; round <= 4; round++) {
      hospital.setWorks(false);
      await hospital.until(`c ends, round ${round}`, () => hospital.hostC?.trouble() !== undefined);
      hospital.setWorks(true);
      await hospital.until(`c is back, round ${round}`, isIn);
    }
    assert.ok(hospital.mostInAMinute <= 2, `${hospital.mostInAMinute} view changes in a minute`);
    // 60, 120, 240 and 480 s, and a part of each more.
    const minutes = (cluster.world.now - began) / minuteMs;
    assert.ok(minutes >= 15 && minutes < 1.25 * 15 + 1, `it was back within ${minutes} minutes`);
    assert.deepEqual(hospital.opened, [0, 1, 2, 3, 4]);
    assert.equal(hospital.hostC?.journalFailures, 4);
    const failed = hospital.asked.flatMap(({ error }) => error ?? []);
    assert.deepEqual(failed, [], `${failed.length} of ${hospital.asked.length} requests failed`);
  });

  it("for hours does not forget that it has failed: only an hour of work counts", async () => {
    const hospital = new Hospital();
    const { cluster, hosts } = hospital;
    const [a, , c] = hosts;
    const isIn = (): boolean => c.ready && a.member?.status().members.length === 3;
    const fail = async (forMs: number): Promise<void> => {
      hospital.setWorks(false);
      for (let number = 0; number < 20; number++) {
        const put = putOf(`key-${number}`, Buffer.from("value"));
        hospital.asked.push(cluster.ask(a, (member) => member.operations.write(put)));
      }
      await hospital.until("c ends", () => hospital.hostC?.trouble() !== undefined);
      await cluster.world.run(cluster.world.now + forMs);
      hospital.setWorks(true);
      hospital.opened.length = 0;
      await hospital.until("c is back", isIn);
    };
    await hospital.until("the start", isIn);
    await fail(minuteMs);
    await fail(70 * minuteMs);
    assert.deepEqual(hospital.opened, [2]);
    // The last failure is more than an hour ago.
    await fail(minuteMs);
    assert.deepEqual(hospital.opened, [3]);
    await cluster.world.run(cluster.world.now + 61 * minuteMs);
    await fail(minuteMs);
    assert.deepEqual(hospital.opened, [1]);
  });

  it("does not join before the disk works, however long that takes", async () => {
    const hospital = new Hospital();
    hospital.setWorks(false);
    const { cluster, hosts, changes } = hospital;
    const [a, , c] = hosts;
    await hospital.until("the others are in", () => a.ready && a.member?.status().members.length === 2);
    changes.length = 0;
    await cluster.world.run(cluster.world.now + 10 * minuteMs);
    assert.deepEqual(changes, []);
    // 30 s and a part of it more lie between two attempts in the end.
    assert.ok(hospital.opened.length > 15 && hospital.opened.length < 30, `${hospital.opened.length} attempts`);
    assert.match(hospital.hostC?.status().trouble ?? "", /^the disk of the data folder sim failed/);
    hospital.setWorks(true);
    await hospital.until("c is in", () => c.ready && a.member?.status().members.length === 3, 40_000);
  });

  it("while it is told to leave leaves once the disk works: the others may need what it has", async () => {
    const hospital = new Hospital();
    const { cluster, hosts } = hospital;
    const [a, , c] = hosts;
    await hospital.until("the start", () => c.ready && a.member?.status().members.length === 3);
    hospital.writeAtOthers();
    hospital.setWorks(false);
    await hospital.until("c ends", () => hospital.hostC?.trouble() !== undefined);
    c.process?.schedule(0, () => hospital.hostC?.leave());
    hospital.setWorks(true);
    await hospital.until("c has left", () => c.running === undefined);
    await hospital.until("a knows", () => a.member?.status().members.length === 2);
    assert.ok(cluster.views.includes("1,1,0"), cluster.views.join(" "));
  });
});
