/** Faults of processes: they are killed, lose their disks, lose power together, stand still, or are started twice. */

import type { FaultField } from "./fault-field.ts";
import type { EndReason, SimHost } from "./sim-cluster.ts";

/** A host that is down comes back within this, mostly much sooner. */
const maxDownMs = 4_000;
const soonMs = 300;
/** One that is killed again and again lives this long in between. */
const shortLifeMs = 1_500;
const maxWallJumpMs = 10_000;
/** The older one of two processes of one host tries to end so often, and waits so long in between. */
const ghostTries = 25;
const ghostRetryMs = 200;
const maxDividedMs = 8_000;

export class ProcessFaults {
  readonly #field: FaultField;
  /** Hosts that have run two processes at once. */
  readonly #twinned = new Set<SimHost>();

  constructor(field: FaultField) {
    this.#field = field;
  }

  /** Kills a process; without a journal that is the loss of its data, so it may have to be spared. */
  kill(host: SimHost | undefined = this.#field.pickRunning()): void {
    if (host?.running === undefined || !this.#mayEnd(host)) return;
    this.#field.note("kill", () => host.running?.process.name ?? "");
    this.#end(host);
    if (this.#field.plan.faults.includes("weights") && this.#field.random.chance(0.2)) this.#field.reweigh(host);
    this.#field.restartLater(host, this.#downMs());
    if (this.#field.random.chance(0.15)) this.#killAgain(host, this.#field.random.whole(1, 4));
  }

  /** Kills a process and takes its disk away. */
  lose(host: SimHost | undefined = this.#field.pickRunning()): void {
    const { budget, random } = this.#field;
    const running = host?.running;
    if (host === undefined || running === undefined || !budget.allows(this.#folderOf(host))) return;
    this.#field.note("lose", () => running.process.name);
    this.#takeFolder(host);
    this.#field.restartLater(host, random.chance(0.3) ? random.between(0, soonMs) : this.#downMs());
  }

  /** Power is lost everywhere, and now and then a disk with it; it comes back everywhere, but not at once. */
  losePower(): void {
    const { hosts, plan, random, budget } = this.#field;
    if (!plan.journal) return;
    this.#field.note("power lost", () => "");
    const burnt = random.pick(hosts);
    if (random.chance(0.3) && burnt.running !== undefined && budget.allows(burnt.folder.id)) this.lose(burnt);
    for (const host of hosts) {
      const wasRunning = host.running !== undefined;
      // Of one that is down already, too, what it wrote last may not be on its disk yet.
      host.crash("power");
      if (wasRunning) this.#field.restartLater(host, random.chance(0.5) ? random.between(0, soonMs) : this.#downMs());
    }
  }

  pause(host: SimHost | undefined = this.#field.pickRunning()): void {
    const process = host?.process;
    if (process === undefined || process.paused) return;
    const { random } = this.#field;
    if (random.chance(0.1)) {
      process.setWallClock(random.between(-maxWallJumpMs, maxWallJumpMs));
      return;
    }
    const isAsleep = random.chance(0.15);
    this.#field.note("pause", () => `${process.name}${isAsleep ? " asleep" : ""}`);
    process.pause(isAsleep);
    this.#field.undoLater(this.#field.drawMs(), () => process.resume());
  }

  /**
   * Starts another process under the id of one that is cut off, alone or together with others, or stands still, or just
   * slow to be told.
   */
  twin(host: SimHost | undefined = this.#field.pickStarted()): void {
    const { budget, random } = this.#field;
    if (host?.running === undefined || host.ghost !== undefined) return;
    const folder = this.#folderOf(host);
    if (!budget.allowsTwin(folder)) return;
    this.#field.note("twin", () => host.running?.process.name ?? "");
    budget.lose(folder);
    this.#twinned.add(host);
    const { process } = host.running;
    if (this.#field.hosts.length > 2 && random.chance(0.4)) this.#divide(host);
    else if (random.chance(0.5)) process.pause();
    host.twin();
    this.#field.undoLater(random.between(0, 3_000), () => process.resume());
    this.#field.undoLater(this.#field.drawMs() * 2, () => this.#endGhost(host, ghostTries));
  }

  /**
   * Its process keeps those on its side of a partition, and all of them may lose the store; the next one will have the
   * others.
   */
  #divide(host: SimHost): void {
    const { network, hosts, random } = this.#field;
    const others = random.shuffle(hosts.filter((each) => each !== host));
    const size = random.whole(1, others.length - 1);
    const [side, rest] = [others.slice(0, size), others.slice(size)];
    this.#field.note("divide", () => [host, ...side].map(({ id }) => id).join(""));
    const undos = side.flatMap((one) => rest.map((other) => network.part(one.id, other.id, random.chance(0.5))));
    undos.push(network.keepFor(host.id, new Set(side.map(({ id }) => id))));
    if (random.chance(0.7)) for (const { line } of [host, ...side]) undos.push(line.cut());
    this.#field.undoLater(random.between(1_000, maxDividedMs), () => {
      for (const undo of undos) undo();
    });
  }

  /**
   * The older of two processes ends, as soon as its disk may be lost; if it never may, because the others stick to it,
   * the newer one gives way.
   */
  #endGhost(host: SimHost, tries: number): void {
    const { budget, plan, world } = this.#field;
    const { ghost } = host;
    if (ghost === undefined) return;
    if (budget.allows(ghost.folder)) {
      host.endGhost();
    } else if (tries > 0 || (plan.journal && !budget.allows(this.#folderOf(host)) && tries > -ghostTries)) {
      world.schedule(ghostRetryMs, () => this.#endGhost(host, tries - 1));
    } else if (plan.journal) {
      this.#field.note("twin given up", () => host.id);
      // Who leaves may wait for one of the two to end, and while somebody leaves nothing may be lost: then more may be
      // lost now than is allowed.
      budget.loseAnyway(this.#folderOf(host) ?? "");
      budget.regain(ghost.folder);
      // The others stick to it: it must come back, although its twin may have left for good.
      host.isWanted = true;
      host.takeGhostBack();
    } else {
      // It has no disk to go on from.
      budget.loseAnyway(ghost.folder ?? "");
      host.endGhost();
    }
  }

  /** A process has ended by itself. */
  onEnd(host: SimHost, reason: EndReason, folder: string): void {
    const { budget, plan, world } = this.#field;
    if (reason === "replaced" && !this.#twinned.has(host)) {
      world.fail(new Error(`P4: ${host.id} says that another process has taken its place`));
      return;
    }
    // Who says that it has left is not needed any more, for anything.
    if (reason === "left" && folder !== "" && !budget.isDone(folder)) {
      world.fail(new Error(`P4: ${host.id} says that it has left, and its data is needed`));
    }
    if (!plan.journal && folder !== "") budget.loseAnyway(folder);
    if (reason !== "left") this.#field.restartLater(host, this.#field.random.between(0, soonMs));
  }

  /** Starts what is down and wanted, and ends what should not be there. */
  heal(): void {
    const { hosts, random } = this.#field;
    for (const host of hosts) {
      host.process?.resume();
      if (host.running === undefined) this.#field.restartLater(host, random.between(0, soonMs));
    }
  }

  #killAgain(host: SimHost, times: number): void {
    const { world, random } = this.#field;
    world.schedule(random.between(0, shortLifeMs), () => {
      if (times === 0 || this.#field.isHealed) return;
      if (host.running !== undefined && this.#mayEnd(host)) {
        this.#field.note("kill", () => `${host.running?.process.name} again`);
        this.#end(host);
        this.#field.restartLater(host, random.between(0, soonMs));
      }
      this.#killAgain(host, times - 1);
    });
  }

  #takeFolder(host: SimHost): void {
    this.#field.budget.lose(this.#folderOf(host));
    host.crash();
    if (this.#field.plan.journal) host.loseFolder();
  }

  #mayEnd(host: SimHost): boolean {
    return this.#field.plan.journal || this.#field.budget.allows(this.#folderOf(host));
  }

  /** The process is killed, or its host loses power. */
  #end(host: SimHost): void {
    if (!this.#field.plan.journal) this.#field.budget.lose(this.#folderOf(host));
    host.crash(this.#field.random.chance(0.4) ? "power" : "killed");
  }

  /**
   * What the host would lose: with a journal, what the disk holds, also while a process that has not named it yet
   * starts on it.
   */
  #folderOf(host: SimHost): string | undefined {
    return this.#field.plan.journal ? host.folder.id : host.running?.folder;
  }

  #downMs(): number {
    const { random } = this.#field;
    return random.chance(0.6) ? random.between(0, soonMs) : random.between(0, maxDownMs);
  }
}
