/**
 * The network as one simulated process sees it: the `Network` port over the ends of its links. Answers are matched,
 * deadlines kept and broken links reported here; which links there are and what befalls them is decided by {@link
 * SimNetwork}.
 */

import { assert } from "../../src/base/assert.ts";
import type { Timer } from "../../src/base/clock.ts";
import { isOperatingError, OperatingError } from "../../src/base/errors.ts";
import type { PeerAnswer, PeerIdentity, PeerNotice, PeerRequest } from "../../src/core/message.ts";
import type { Network, PeerAddress, PeerHandler } from "../../src/network/network.ts";
import type { SimChannel } from "./sim-channel.ts";
import type { Moment } from "./sim-network.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Wire } from "./wire.ts";
import { payloadBytes } from "./wire.ts";

/** These overtake all others; see `network.ts`. */
const fastKinds = new Set<string>(["ping", "pong", "state"] satisfies (
  | PeerRequest["kind"]
  | PeerAnswer["kind"]
  | PeerNotice["kind"]
)[]);

interface Outstanding {
  readonly timer: Timer;
  readonly resolve: (answer: PeerAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** One side of a link. */
export interface LinkEnd {
  /** Of the link: grows with each one that is made. */
  readonly number: number;
  readonly peer: SimPort;
  readonly incoming: SimChannel;
  readonly outgoing: SimChannel;
  /** The other side of the same link. */
  readonly other: () => LinkEnd;
  readonly outstanding: Map<number, Outstanding>;
}

/** What a port needs of the network around it. */
export interface Fabric {
  readonly wire: Wire;
  readonly fragmentBytes: number;
  readonly maxOutstanding: number;
  /** Milliseconds that a message takes from one to the other now. */
  latencyMs(from: string, to: string): number;
  /** How much longer a large one takes. */
  largeMs(from: string, to: string): number;
  /** Tells what happens to a message. */
  watch(moment: Moment, kind: string, from: SimProcess, to: SimProcess): void;
  /** Who should be linked has changed, or a link has been closed. */
  reconsider(port: SimPort): void;
  close(port: SimPort, peerId: string): void;
  closeAll(port: SimPort): void;
}

export class SimPort implements Network {
  readonly identity: PeerIdentity;
  readonly process: SimProcess;
  readonly #fabric: Fabric;
  readonly #ends = new Map<string, LinkEnd>();
  /** By peer: the number of the newest link that was accepted. */
  readonly #newest = new Map<string, number>();
  #handler: PeerHandler | undefined;
  #peers = new Set<string>();
  #disposed = false;
  #number = 0;

  constructor(process: SimProcess, identity: PeerIdentity, fabric: Fabric) {
    this.process = process;
    this.identity = identity;
    this.#fabric = fabric;
  }

  /** Whether it takes and dials links. */
  get open(): boolean {
    return this.#handler !== undefined && !this.#disposed && this.process.alive;
  }

  dials(id: string): boolean {
    return this.#peers.has(id);
  }

  start(handler: PeerHandler): void {
    assert(this.#handler === undefined, "a network is started once");
    this.#handler = handler;
    this.#fabric.reconsider(this);
  }

  setPeers(peers: readonly PeerAddress[]): void {
    assert(this.#handler !== undefined, "a network is started before it is used");
    const before = this.#peers;
    this.#peers = new Set(peers.map((peer) => peer.id).filter((id) => id !== this.identity.id));
    for (const id of before) if (!this.#peers.has(id)) this.#fabric.close(this, id);
    this.#fabric.reconsider(this);
  }

  disconnect(id: string): void {
    const end = this.#ends.get(id);
    if (end === undefined) return;
    this.#fabric.close(this, id);
    this.linkDown(end);
  }

  linked(id: string): PeerIdentity | undefined {
    return this.#ends.get(id)?.peer.identity;
  }

  refused(): undefined {
    return undefined;
  }

  /** Whether it gets a link with this one: see `PeerHandler.refusal`. */
  takes(peer: SimPort): boolean {
    const { clusterId } = peer.#handled;
    const own = this.#handled.clusterId;
    if (own !== undefined && clusterId !== undefined && own !== clusterId) return false;
    if (this.#handled.refusal(peer.identity) === undefined) return true;
    peer.#handled.onRefused(this.identity.id);
    return false;
  }

  get #handled(): PeerHandler {
    assert(this.#handler !== undefined, "links come up after the start");
    return this.#handler;
  }

  request(id: string, request: PeerRequest, deadlineMs: number): Promise<PeerAnswer> {
    // A process that has crashed has no code running; what it still awaits never comes.
    assert(this.process.alive, "a crashed process sends nothing");
    const end = this.#ends.get(id);
    if (end === undefined) return Promise.reject(new OperatingError("peer_unreachable", `no link to ${id}`));
    if (end.outstanding.size >= this.#fabric.maxOutstanding) {
      return Promise.reject(new OperatingError("overloaded", `too many requests to ${id} are under way`));
    }
    const number = this.#number++;
    return new Promise((resolve, reject) => {
      const timer = this.process.after(deadlineMs, () => {
        end.outstanding.delete(number);
        reject(new OperatingError("deadline_exceeded", `${id} did not answer a ${request.kind} in time`));
      });
      end.outstanding.set(number, { timer, resolve, reject });
      const sent = this.#fabric.wire.request(request);
      this.#send(end, sent.kind, payloadBytes(sent), () => end.peer.#onRequest(end.other(), number, sent));
    });
  }

  notify(id: string, notice: PeerNotice): boolean {
    const end = this.#ends.get(id);
    if (end === undefined) return false;
    const sent = this.#fabric.wire.notice(notice);
    this.#send(end, sent.kind, 0, () => end.peer.#onNotice(end.other(), sent));
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const ends = [...this.#ends.values()];
    this.#ends.clear();
    this.#fabric.closeAll(this);
    for (const end of ends) rejectAll(end, "the network is closed");
  }

  /**
   * The link is up on this side; one that it replaces is down before. An older one than was accepted already comes too
   * late.
   */
  linkUp(end: LinkEnd): void {
    if (this.#disposed) return;
    if (end.number < (this.#newest.get(end.peer.identity.id) ?? 0)) {
      end.incoming.discard();
      return;
    }
    this.#newest.set(end.peer.identity.id, end.number);
    const earlier = this.#ends.get(end.peer.identity.id);
    if (earlier !== undefined) this.linkDown(earlier);
    this.process.world.note("link up", () => `${this.process.name} to ${end.peer.process.name}`);
    this.#ends.set(end.peer.identity.id, end);
    this.#handle((handler) => handler.onLinkUp(end.peer.identity));
  }

  /** The link is down on this side: nothing more comes over it. */
  linkDown(end: LinkEnd): void {
    end.incoming.discard();
    if (this.#ends.get(end.peer.identity.id) !== end) return;
    this.process.world.note("link down", () => `${this.process.name} to ${end.peer.process.name}`);
    this.#ends.delete(end.peer.identity.id);
    this.#handle((handler) => handler.onLinkDown(end.peer.identity));
    rejectAll(end, `the link to ${end.peer.identity.id} broke`);
    this.#fabric.reconsider(this);
  }

  #onRequest(end: LinkEnd, number: number, request: PeerRequest): void {
    this.process.world.note(
      request.kind,
      () => `${end.peer.process.name} to ${this.process.name} ${describe(request)}`,
    );
    void this.#handle(async (handler) => {
      let answer: PeerAnswer;
      try {
        answer = await handler.onRequest(end.peer.identity, request);
      } catch (error) {
        if (!isOperatingError(error)) throw error;
        answer = { kind: "refused", code: error.code, epoch: 0, detail: error.message };
      }
      const sent = this.#fabric.wire.answer(answer);
      this.#send(end, sent.kind, payloadBytes(sent), () => end.peer.#onAnswer(end.other(), number, sent));
    });
  }

  #onAnswer(end: LinkEnd, number: number, answer: PeerAnswer): void {
    this.process.world.note(answer.kind, () => `${end.peer.process.name} to ${this.process.name} ${describe(answer)}`);
    const outstanding = end.outstanding.get(number);
    if (outstanding === undefined) return;
    end.outstanding.delete(number);
    outstanding.timer.cancel();
    outstanding.resolve(answer);
  }

  #onNotice(end: LinkEnd, notice: PeerNotice): void {
    this.process.world.note(notice.kind, () => `${end.peer.process.name} to ${this.process.name} ${describe(notice)}`);
    this.#handle((handler) => handler.onNotice(end.peer.identity, notice));
  }

  #send(end: LinkEnd, kind: string, bytes: number, deliver: () => void): void {
    const ms = this.#fabric.latencyMs(this.identity.id, end.peer.identity.id);
    const arrive = (): void => {
      deliver();
      this.#fabric.watch("handled", kind, this.process, end.peer.process);
    };
    if (bytes > this.#fabric.fragmentBytes) {
      end.outgoing.sendOvertakable(ms + this.#fabric.largeMs(this.identity.id, end.peer.identity.id), arrive);
    } else end.outgoing.send(fastKinds.has(kind) ? "fast" : "slow", ms, arrive);
    this.#fabric.watch("sent", kind, this.process, end.peer.process);
  }

  /** A handler that fails otherwise than by an OperatingError has a bug, which ends the run. */
  #handle<T>(call: (handler: PeerHandler) => T): T {
    return call(this.#handled);
  }
}

function rejectAll(end: LinkEnd, reason: string): void {
  const outstanding = [...end.outstanding.values()];
  end.outstanding.clear();
  for (const each of outstanding) {
    each.timer.cancel();
    each.reject(new OperatingError("peer_unreachable", reason));
  }
}

function describe(message: PeerRequest | PeerAnswer | PeerNotice): string {
  return JSON.stringify(message, (name, value: unknown) =>
    name === "value" || name === "headers" || name === "figures" ? undefined : value,
  );
}
