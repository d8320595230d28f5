/**
 * One host's part in the cluster for as long as its process lives: one participant after another, each with a journal
 * that works. A participant whose journal fails ends, as by a crash (J8). The next one begins when the disk has been
 * tried out (J11), and not too soon: each loss changes the view of all nodes, so a disk that fails again and again must
 * not make it change all the time. The pause is in here, since what starts the process may start it again at once.
 */

import { assert } from "../base/assert.ts";
import { type Instant, sleep } from "../base/clock.ts";
import { isOperatingError, OperatingError } from "../base/errors.ts";
import type { Administration, NodeControl } from "../core/administration.ts";
import type { Operations } from "../core/operation.ts";
import type { ClusterStatus, Readiness } from "../core/status.ts";
import type { Journal, Journals } from "../journal/journal.ts";
import type { PeerAddress } from "../network/network.ts";
import type { MemberGauges } from "./admin/status.ts";
import { MemberMetrics } from "./metrics.ts";
import { noMember } from "./operations.ts";
import { outsideStatus, Participant, type ParticipantParts } from "./participant.ts";

export interface HostParts extends Omit<ParticipantParts, "journal" | "metrics"> {
  readonly journals: Journals;
  /** After failures; {@link usualPauses} unless given. */
  readonly pauses?: HostPauses;
}

/**
 * After a failure of a journal that had worked, the next one is opened after `firstMs`; after twice as long for each
 * further failure before it has taken part for `restlessMs`, and `lastMs` at most. All in milliseconds.
 */
export interface HostPauses {
  readonly firstMs: number;
  readonly lastMs: number;
}

/** A node that joins and is lost again changes the view twice. So two changes a minute are the most. */
const usualPauses: HostPauses = { firstMs: 60_000, lastMs: 600_000 };
const restlessMs = 3_600_000;

/** A journal, and a promise that resolves with its failure. */
interface Opened {
  readonly journal: Journal;
  readonly failed: Promise<Error>;
}

/** Between two attempts to open a journal while the disk does not work; doubled each time, up to the last. */
const firstTryMs = 1_000;
const lastTryMs = 30_000;
/** A random part of each pause is added to it, up to this: hosts with the same trouble come back one by one. */
const jitter = 0.25;

/** For everybody. The log and the status say more. */
const diskTrouble =
  "the disk of this node's data folder does not work or is full; the node tries it again, and its log says what to do";

export class Host implements NodeControl, AsyncDisposable {
  /** What all its members have counted. */
  readonly metrics = new MemberMetrics();
  readonly #parts: HostParts;
  readonly #abort = new AbortController();
  #nodes: readonly PeerAddress[];
  #opened: Opened | undefined;
  #participant: Participant | undefined;
  /** Journals that failed after they had worked: since it took part for `restlessMs`, and since the start. */
  #failures = 0;
  #journalFailures = 0;
  /** When the present or last participant has joined, if it has. */
  #joinedAt: Instant | undefined;
  /** Why there is no participant, in the words of the disk. */
  #trouble: string | undefined;
  #isWithdrawn = false;
  #isLeaving = false;

  constructor(parts: HostParts) {
    this.#parts = parts;
    this.#nodes = parts.nodes;
  }

  /**
   * Opens the journal for the first time. If the disk does not work, {@link run} tries it again.
   * @throws OperatingError `config_invalid` when the data folder cannot be used.
   */
  async open(): Promise<void> {
    this.#opened = await this.#tryOpen();
  }

  /** Takes part in the cluster. Never resolves; rejects when the process has to end, or has been stopped. */
  async run(): Promise<never> {
    for (;;) {
      const pauseMs = await this.#liveOnce();
      await sleep(this.#parts.clock, pauseMs, this.#abort.signal);
    }
  }

  /** How many journals have failed since the start. */
  get journalFailures(): number {
    return this.#journalFailures;
  }

  /** Whether it takes part in a view. */
  get joined(): boolean {
    return this.#participant?.joined ?? false;
  }

  /** Says from now on that it is not ready, and goes on serving. */
  withdraw(): void {
    this.#isWithdrawn = true;
    this.#participant?.withdraw();
  }

  /** Begins to leave, for as long as it takes; `onLeft` follows. What the disk has may be needed: it joins before. */
  leave(): void {
    this.#isLeaving = true;
    this.#participant?.leave();
  }

  /** The configuration names these now. */
  setNodes(nodes: readonly PeerAddress[]): void {
    this.#nodes = nodes;
    this.#participant?.setNodes(nodes);
  }

  /** Leaves in order, see {@link Participant.stop}. What it could not hand over stays on the disk. */
  async stop(): Promise<void> {
    this.#abort.abort(new OperatingError("shutting_down", "the node is stopping"));
    await this.#participant?.stop();
  }

  /** Gives up the data folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new OperatingError("shutting_down", "the node is stopping"));
    await this.#opened?.journal[Symbol.asyncDispose]();
  }

  /** To be looked up for each operation. */
  get operations(): Operations & Administration {
    return this.#participant?.operations ?? noMember;
  }

  trouble(): string | undefined {
    return this.#trouble === undefined ? undefined : diskTrouble;
  }

  readiness(): Readiness {
    if (this.#isWithdrawn || this.#abort.signal.aborted) return { ready: false, reason: "the node is stopping" };
    if (this.#trouble !== undefined) return { ready: false, reason: diskTrouble };
    return this.#participant?.readiness() ?? { ready: false, reason: "the node has not joined the cluster yet" };
  }

  status(): ClusterStatus {
    if (this.#participant) return this.#participant.status();
    const trouble = this.#trouble === undefined ? {} : { trouble: this.#trouble };
    return { ...outsideStatus(this.#parts, this.#nodes), ...trouble };
  }

  /** Whether this process may answer for the key at this moment: at most one may. */
  servesNow(key: string): boolean {
    return this.#participant?.servesNow(key) ?? false;
  }

  /** Undefined while there is no member. */
  gauges(): MemberGauges | undefined {
    return this.#participant?.gauges();
  }

  /** Takes part until the journal fails, and gives all of it up. Resolves with how long to wait then. */
  async #liveOnce(): Promise<number> {
    const { clock, random, log, pauses = usualPauses } = this.#parts;
    const error = await this.#takePart();
    if (this.#abort.signal.aborted || !isOperatingError(error, "disk_failed")) throw error;
    this.#journalFailures += 1;
    this.#trouble = error.message;
    if (this.#joinedAt !== undefined && clock.now() - this.#joinedAt >= restlessMs) this.#failures = 0;
    this.#failures += 1;
    const pauseMs = Math.min(pauses.lastMs, pauses.firstMs * 2 ** (this.#failures - 1));
    const waitMs = Math.round(pauseMs * (1 + jitter * random.next()));
    log.error("the journal has failed: this node takes no part until its disk works", { error, waitMs });
    await this.#giveUp();
    return waitMs;
  }

  /** Resolves with what the journal failed of; rejects when the participant can't go on for another reason. */
  async #takePart(): Promise<Error> {
    const { journal, failed } = this.#opened ?? (await this.#openPatiently());
    assert(this.#participant === undefined, "one participant after another");
    this.#trouble = undefined;
    const participant = new Participant({ ...this.#parts, nodes: this.#nodes, journal, metrics: this.metrics });
    this.#participant = participant;
    if (this.#isWithdrawn) participant.withdraw();
    this.#joinedAt = undefined;
    const started = participant.start().then(() => {
      this.#joinedAt = this.#parts.clock.now();
    });
    if (this.#isLeaving) participant.leave();
    return await Promise.race([failed, started.then(() => failed)]);
  }

  /**
   * Nothing of the participant and its journal is left but what is on the disk, in memory neither: the next journal
   * reads all of it again.
   */
  async #giveUp(): Promise<void> {
    const participant = this.#participant;
    assert(participant !== undefined, "who had a journal was a participant");
    this.#participant = undefined;
    await participant.abandon();
    await this.#opened?.journal[Symbol.asyncDispose]();
    this.#opened = undefined;
  }

  /** However long it takes. */
  async #openPatiently(): Promise<Opened> {
    const { clock, random } = this.#parts;
    const { signal } = this.#abort;
    for (let tries = 0; ; tries += 1) {
      const pauseMs = Math.min(lastTryMs, firstTryMs * 2 ** tries);
      await sleep(clock, pauseMs * (1 + jitter * random.next()), signal);
      const opened = await this.#tryOpen();
      this.#opened = opened;
      if (signal.aborted) await opened?.journal[Symbol.asyncDispose]();
      signal.throwIfAborted();
      if (opened) return opened;
    }
  }

  /** Undefined, with the reason in the log, if the disk does not work. */
  async #tryOpen(): Promise<Opened | undefined> {
    const { journals, log } = this.#parts;
    const { promise: failed, resolve } = Promise.withResolvers<Error>();
    try {
      return { journal: await journals.open(this.#failures, resolve), failed };
    } catch (error) {
      if (!isOperatingError(error, "disk_failed")) throw error;
      this.#trouble = error.message;
      log.error("the data folder's disk does not work: this node waits before it joins, and tries it again", { error });
      return undefined;
    }
  }
}
