/**
 * The network between simulated processes. Faults that it makes: connecting takes a while, latency varies, links break
 * (each side learns of it at a time of its own, and what was on its way arrives or is lost), go silent in one direction
 * or both, become slow, or let only small things through; two hosts are kept apart, so that no link between them can be
 * made; a process comes back as another incarnation while its peers still hold the old link. Faults that it must not
 * make, because the links' protocol excludes them: a message that arrives twice, changed, over a link that its receiver
 * has given up, or (unless it is large) before one that was sent earlier.
 */

import type { PeerIdentity } from "../../src/core/message.ts";
import type { SimRandom } from "../harness/sim-random.ts";
import { SimChannel } from "./sim-channel.ts";
import { type Fabric, type LinkEnd, SimPort } from "./sim-port.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimWorld } from "./sim-world.ts";
import { Wire } from "./wire.ts";

export interface SimNetworkSettings {
  /** Every message takes this long at least. */
  readonly minLatencyMs: number;
  /** And this much more on average, exponentially distributed. */
  readonly meanExtraLatencyMs: number;
  /** Connecting, or trying again, takes up to this. */
  readonly maxConnectMs: number;
  /**
   * And up to this once what kept two hosts apart has ended, if that was long enough: the longer, the less often they
   * try.
   */
  readonly maxRedialMs: number;
  /** A side sees within this that a link was closed or reset. */
  readonly maxNoticeMs: number;
  /** A side gives a link up when it has heard nothing for this long. */
  readonly silenceMs: number;
  /** Messages with a larger value go in fragments, so that later ones may overtake them. */
  readonly fragmentBytes: number;
  /** Requests under way at once from one process to another. */
  readonly maxOutstanding: number;
}

export const defaultNetworkSettings: SimNetworkSettings = {
  minLatencyMs: 0.1,
  meanExtraLatencyMs: 0.4,
  maxConnectMs: 50,
  maxRedialMs: 1_000,
  maxNoticeMs: 20,
  silenceMs: 3_000,
  fragmentBytes: 2_000,
  maxOutstanding: 10_000,
};

/** Ends what a fault began; when it has ended already this does nothing. */
export type Undo = () => void;

/** What happens to a message: it is `sent`, or its receiver has just begun to act on it. */
export type Moment = "sent" | "handled";
export type MessageWatcher = (moment: Moment, kind: string, from: SimProcess, to: SimProcess) => void;

/** Two hosts, and what is between them now. */
interface Pair {
  readonly ids: readonly [string, string];
  /** The ends of the link that is up or coming up. */
  link: readonly [LinkEnd, LinkEnd] | undefined;
  /** The next attempt to link them; undefined while none is due. */
  attempt: object | undefined;
  slowness: number;
  /** How many faults let nothing but pings and notices through. */
  chokes: number;
  /** By the sender's id: how much longer than others its large messages take. */
  readonly largeMs: Map<string, number>;
  /** Since when something has been held up. */
  stalledAtMs: number;
  /** By the sender's id: how many faults hold up what it sends. */
  readonly stalls: Map<string, number>;
}

export class SimNetwork {
  readonly #world: SimWorld;
  readonly #settings: SimNetworkSettings;
  readonly #random: SimRandom;
  readonly #ports = new Map<string, SimPort>();
  /** By id: an earlier process that is still the one for some peers. */
  readonly #kept = new Map<string, { readonly port: SimPort; readonly peers: ReadonlySet<string> }>();
  readonly #pairs: Pair[] = [];
  /** The same, by the id of either and then of the other: each message looks its pair up. */
  readonly #pairsById = new Map<string, Map<string, Pair>>();
  readonly #fabric: Fabric;
  readonly #watchers: MessageWatcher[] = [];
  #links = 0;

  constructor(world: SimWorld, settings: SimNetworkSettings) {
    this.#world = world;
    this.#settings = settings;
    this.#random = world.random("network");
    this.#fabric = {
      wire: new Wire(),
      fragmentBytes: settings.fragmentBytes,
      largeMs: (from, to) => this.#pair(from, to).largeMs.get(from) ?? 0,
      maxOutstanding: settings.maxOutstanding,
      latencyMs: (from, to) => this.#latencyMs(from, to),
      watch: (moment, kind, from, to) => {
        for (const watcher of this.#watchers) watcher(moment, kind, from, to);
      },
      reconsider: (port) => this.#reconsider(port),
      close: (port, peerId) => {
        if (this.#portFor(peerId, port.identity.id) === port) this.#closeLink(port.identity.id, peerId);
      },
      closeAll: (port) => this.#breakLinksOf(port),
    };
  }

  /** Tells `watcher` of every message from now on. */
  watch(watcher: MessageWatcher): void {
    this.#watchers.push(watcher);
  }

  /**
   * The port of a new process, or of a process's next life, in place of an earlier one of the same id; `isReachable` is
   * false when another process has its address.
   */
  connect(process: SimProcess, identity: PeerIdentity, isReachable = true): SimPort {
    const { id } = identity;
    const port = new SimPort(process, identity, this.#fabric);
    if (!isReachable) return port;
    const before = this.#ports.get(id);
    this.#ports.set(id, port);
    this.#breakLinks(before);
    process.onCrash(() => this.#breakLinksOf(port));
    return port;
  }

  /**
   * Until that is undone `id` means the process that it means now to these peers, as to those on its side of a
   * partition, whichever comes in its place for all others.
   */
  keepFor(id: string, peers: ReadonlySet<string>): Undo {
    const port = this.#ports.get(id);
    if (port === undefined) return () => undefined;
    this.#kept.set(id, { port, peers });
    return once(() => {
      if (this.#kept.get(id)?.port !== port) return;
      this.#kept.delete(id);
      if (this.#ports.get(id) === port) return;
      for (const peer of peers) {
        this.breakLink(id, peer);
        this.#tryLater(this.#pair(id, peer));
      }
    });
  }

  /** Whom `peer` reaches under this id. */
  #portFor(peer: string, id: string): SimPort | undefined {
    const kept = this.#kept.get(id);
    return kept?.peers.has(peer) === true ? kept.port : this.#ports.get(id);
  }

  /** The link between two hosts, if there is one, is cut; they may connect again. */
  breakLink(a: string, b: string, maxNoticeMs: number = this.#settings.maxNoticeMs): void {
    const pair = this.#pair(a, b);
    if (pair.link === undefined) return;
    this.#world.note("link cut", () => `${a} - ${b}`);
    const ends = pair.link;
    pair.link = undefined;
    for (const end of ends) {
      const noticeMs = this.#random.between(0, maxNoticeMs);
      end.incoming.breakOff(this.#random, noticeMs, () => end.other().peer.linkDown(end));
    }
    this.#tryLater(pair);
  }

  /** One end gives its link up, perhaps without having noticed yet that it is cut. */
  #closeLink(a: string, b: string): void {
    const pair = this.#pair(a, b);
    if (pair.link !== undefined) {
      this.breakLink(a, b);
      return;
    }
    // It dials at once. The other may have been refused meanwhile, and wait long.
    pair.attempt = undefined;
    this.#tryLater(pair);
  }

  /**
   * What `from` sends to `to` is held up until that is undone, and no link between them can be made: neither of them is
   * told. When the silence has lasted too long the link is given up, with all that it held.
   */
  stall(from: string, to: string): Undo {
    const pair = this.#pair(from, to);
    this.#world.note("link stalled", () => `${from} to ${to}`);
    if (pair.stalls.size === 0) pair.stalledAtMs = this.#world.now;
    pair.stalls.set(from, (pair.stalls.get(from) ?? 0) + 1);
    this.#endAt(pair, to)?.incoming.stall(true);
    const { link } = pair;
    this.#world.schedule(this.#settings.silenceMs, () => {
      if (link !== undefined && pair.link === link && pair.stalls.has(from)) this.breakLink(from, to);
    });
    return once(() => this.#unstall(pair, from, to));
  }

  /**
   * Nothing passes between the two, and no link can be made, until that is undone. `silent`: as {@link stall}; else the
   * link is reset at once.
   */
  part(a: string, b: string, silent: boolean): Undo {
    if (!silent) this.breakLink(a, b);
    const undos = [this.stall(a, b), this.stall(b, a)];
    return once(() => {
      for (const undo of undos) undo();
    });
  }

  /** Messages between the two take `factor` times as long. */
  slow(a: string, b: string, factor: number): Undo {
    this.#world.note("link slow", () => `${a} - ${b} ${factor.toFixed(1)}`);
    const pair = this.#pair(a, b);
    pair.slowness = factor;
    return once(() => {
      pair.slowness = 1;
    });
  }

  /** Between the two nothing but pings and notices gets through, as over a path that loses large packets. */
  choke(a: string, b: string): Undo {
    this.#world.note("link choked", () => `${a} - ${b}`);
    const pair = this.#pair(a, b);
    const change = (by: number): void => {
      pair.chokes += by;
      for (const end of pair.link ?? []) end.incoming.choke(pair.chokes > 0);
    };
    change(1);
    return once(() => change(-1));
  }

  /**
   * From one host to the other large messages take so much longer, as over a busy path: all that is sent later
   * overtakes them.
   */
  delayLarge(from: string, to: string, ms: number): Undo {
    const { largeMs } = this.#pair(from, to);
    const change = (by: number): unknown => largeMs.set(from, (largeMs.get(from) ?? 0) + by);
    change(ms);
    return once(() => change(-ms));
  }

  #unstall(pair: Pair, from: string, to: string): void {
    const left = (pair.stalls.get(from) ?? 0) - 1;
    if (left > 0) {
      pair.stalls.set(from, left);
      return;
    }
    this.#world.note("link heals", () => `${from} to ${to}`);
    pair.stalls.delete(from);
    this.#endAt(pair, to)?.incoming.stall(false);
    const { maxConnectMs, maxRedialMs } = this.#settings;
    const apartMs = Math.max(maxConnectMs, this.#world.now - pair.stalledAtMs);
    if (pair.stalls.size === 0) this.#tryLater(pair, Math.min(maxRedialMs, apartMs));
  }

  #pair(a: string, b: string): Pair {
    const known = this.#pairsById.get(a)?.get(b);
    if (known !== undefined) return known;
    const pair: Pair = {
      ids: a < b ? [a, b] : [b, a],
      link: undefined,
      attempt: undefined,
      slowness: 1,
      chokes: 0,
      largeMs: new Map(),
      stalledAtMs: 0,
      stalls: new Map(),
    };
    this.#pairs.push(pair);
    this.#pairsOf(a).set(b, pair);
    this.#pairsOf(b).set(a, pair);
    return pair;
  }

  #pairsOf(id: string): Map<string, Pair> {
    const pairs = this.#pairsById.get(id) ?? new Map<string, Pair>();
    this.#pairsById.set(id, pairs);
    return pairs;
  }

  #endAt(pair: Pair, id: string): LinkEnd | undefined {
    return pair.link?.[id === pair.ids[0] ? 0 : 1];
  }

  #latencyMs(from: string, to: string): number {
    const { minLatencyMs, meanExtraLatencyMs } = this.#settings;
    return (minLatencyMs + this.#random.exponential(meanExtraLatencyMs)) * this.#pair(from, to).slowness;
  }

  /** The process is gone, or this life of it, unless another one has taken its place already. */
  #breakLinksOf(port: SimPort): void {
    const { id } = port.identity;
    const kept = this.#kept.get(id);
    if (kept?.port === port) this.#kept.delete(id);
    if (this.#ports.get(id) !== port && kept?.port !== port) return;
    this.#breakLinks(port);
    for (const peer of kept?.peers ?? []) this.#tryLater(this.#pair(id, peer));
  }

  /**
   * A process that ends quietly is noticed at once if its host lives (the connection is reset), by silence if it does
   * not. Who still is the one for a peer keeps that link.
   */
  #breakLinks(port: SimPort | undefined): void {
    const noticeMs = this.#random.chance(0.5) ? this.#settings.maxNoticeMs : this.#settings.silenceMs;
    if (port === undefined) return;
    const { id } = port.identity;
    const kept = this.#kept.get(id);
    for (const { ids, link } of this.#pairs) {
      const isOfPort = link?.some(({ peer }) => peer === port) === true;
      const isKept = kept?.port === port && ids.some((each) => kept.peers.has(each));
      if (isOfPort && !isKept) this.breakLink(...ids, noticeMs);
    }
  }

  #reconsider(port: SimPort): void {
    for (const id of this.#ports.keys()) if (id !== port.identity.id) this.#tryLater(this.#pair(id, port.identity.id));
  }

  #tryLater(pair: Pair, maxMs: number = this.#settings.maxConnectMs): void {
    if (pair.attempt !== undefined || pair.link !== undefined || !this.#wanted(pair)) return;
    const attempt = {};
    pair.attempt = attempt;
    this.#world.schedule(this.#random.between(0, maxMs), () => {
      if (pair.attempt !== attempt) return;
      pair.attempt = undefined;
      if (pair.link === undefined && this.#wanted(pair)) this.#link(pair);
    });
  }

  #wanted(pair: Pair): boolean {
    if (pair.stalls.size > 0) return false;
    const [a, b] = this.#portsOf(pair);
    if (a === undefined || b === undefined || !a.open || !b.open) return false;
    return a.dials(b.identity.id) || b.dials(a.identity.id);
  }

  #portsOf({ ids: [a, b] }: Pair): readonly [SimPort | undefined, SimPort | undefined] {
    return [this.#portFor(b, a), this.#portFor(a, b)];
  }

  #link(pair: Pair): void {
    const [a, b] = this.#portsOf(pair) as [SimPort, SimPort];
    if (!a.takes(b) || !b.takes(a)) {
      this.#tryLater(pair, this.#settings.maxRedialMs);
      return;
    }
    const toA = new SimChannel(a.process);
    const toB = new SimChannel(b.process);
    const number = ++this.#links;
    const atA: LinkEnd = { number, peer: b, incoming: toA, outgoing: toB, other: () => atB, outstanding: new Map() };
    const atB: LinkEnd = { number, peer: a, incoming: toB, outgoing: toA, other: () => atA, outstanding: new Map() };
    pair.link = [atA, atB];
    // Each side learns of the link by the first thing that comes over it, so nothing of it can come before.
    toA.begin(this.#latencyMs(b.identity.id, a.identity.id), () => a.linkUp(atA));
    toB.begin(this.#latencyMs(a.identity.id, b.identity.id), () => b.linkUp(atB));
    if (pair.chokes > 0) for (const end of pair.link) end.incoming.choke(true);
  }
}

function once(act: () => void): Undo {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}
