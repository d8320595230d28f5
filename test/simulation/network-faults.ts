/**
 * Faults of the network: single links that break, stall or drag, and partitions of several shapes, silent or not, in
 * one direction or both.
 */

import type { FaultField } from "./fault-field.ts";
import type { SimHost } from "./sim-cluster.ts";

/** How much longer messages may take on a slow link. */
const maxSlowness = 100;

export class NetworkFaults {
  readonly #field: FaultField;

  constructor(field: FaultField) {
    this.#field = field;
  }

  troubleLink(): void {
    const { network, hosts, random } = this.#field;
    if (hosts.length < 2) return;
    const [a, b] = random.shuffle(hosts) as [SimHost, SimHost];
    const kind = random.pick(["break", "break", "stall", "stall both", "slow", "choke"]);
    this.#field.note("link", () => `${kind} ${a.id} ${b.id}`);
    if (kind === "break") network.breakLink(a.id, b.id);
    else if (kind === "slow") this.#forAWhile(network.slow(a.id, b.id, random.between(5, maxSlowness)));
    else if (kind === "choke") this.#forAWhile(network.choke(a.id, b.id));
    else if (kind === "stall") this.#forAWhile(network.stall(a.id, b.id));
    else this.#forAWhile(network.part(a.id, b.id, true));
  }

  /**
   * Two hosts hear each other, and nothing of what they should do gets through: longer than a lease, shorter than it
   * takes to be noticed.
   */
  choke(): void {
    const { network, hosts, random } = this.#field;
    if (hosts.length < 2) return;
    const [a, b] = random.shuffle(hosts) as [SimHost, SimHost];
    this.#field.note("choke", () => a.id + b.id);
    this.#field.undoLater(random.between(1_000, 6_000), network.choke(a.id, b.id));
  }

  /** Between two hosts, or all, what is large comes late. */
  overtake(): void {
    const { network, hosts, random } = this.#field;
    const pairs = random.chance(0.5) ? pairsOf(hosts) : pairsOf(random.shuffle(hosts).slice(0, 2));
    const ms = random.between(100, 4_000);
    this.#field.note("overtaking", () => `${Math.round(ms)} ms ${pairs.map(([a, b]) => a.id + b.id).join(" ")}`);
    for (const [a, b] of pairs) {
      const undos = [network.delayLarge(a.id, b.id, ms), network.delayLarge(b.id, a.id, ms)];
      this.#field.undoLater(random.between(1_000, 8_000), () => {
        for (const undo of undos) undo();
      });
    }
  }

  partition(): void {
    const { hosts, random } = this.#field;
    if (hosts.length < 2) return;
    const shape = random.pick(["one", "one", "groups", "shift", "pair", "pairs", "deaf", "mute"] as const);
    const mixed = random.shuffle(hosts);
    const [first, second] = mixed as [SimHost, SimHost];
    switch (shape) {
      case "one":
        this.isolate(first);
        break;
      case "groups":
        this.#part(mixed.slice(0, random.whole(1, hosts.length - 1)));
        break;
      case "shift":
        this.#shift(mixed);
        break;
      case "pair":
        this.#cut([[first, second]], shape);
        break;
      case "pairs":
        this.#cut(
          pairsOf(hosts).filter(() => random.chance(0.4)),
          shape,
        );
        break;
      default:
        this.#halfCut(first, shape);
    }
  }

  /** Cuts the host off from all others; sometimes from the store, too, or makes it wait for its answers. */
  isolate(host: SimHost): void {
    const undos = this.#part([host]);
    const luck = this.#field.random.next();
    if (luck < 0.3) undos.push(host.line.cut());
    else if (luck < 0.5) undos.push(this.#slowDown(host));
  }

  /** Cuts the host off from the store only, or makes it wait for its answers. */
  cutFromStore(): void {
    const { hosts, random } = this.#field;
    const host = random.pick(hosts);
    if (random.chance(0.6)) {
      this.#field.note("store cut", () => host.id);
      this.#forAWhile(host.line.cut());
      return;
    }
    this.#field.note("store slow", () => host.id);
    this.#forAWhile(this.#slowDown(host));
  }

  /** Longer than a member waits before it is relieved of its keys, and not all hosts at once. */
  cutFromStoreForLong(): void {
    const { hosts, random } = this.#field;
    const host = random.pick(hosts);
    if (host.line.isCut || hosts.filter(({ line }) => line.isCut).length + 1 >= hosts.length) return;
    this.#field.note("store cut for long", () => host.id);
    this.#field.undoLater(random.between(35_000, 60_000), host.line.cut());
  }

  #slowDown({ line }: SimHost): () => void {
    line.slownessMs = this.#field.random.between(200, 3_000);
    return () => {
      line.slownessMs = 0;
    };
  }

  /** Keeps two hosts apart. */
  partTwo(a: SimHost, b: SimHost): void {
    this.#cut([[a, b]], "pair");
  }

  /** Keeps two hosts apart, but not for so long that one of them is taken for lost. */
  partBriefly(a: SimHost, b: SimHost): void {
    this.#field.undoLater(this.#field.random.between(50, 600), this.#field.network.part(a.id, b.id, false));
  }

  #part(group: readonly SimHost[]): (() => void)[] {
    const others = this.#field.hosts.filter((host) => !group.includes(host));
    return this.#cut(
      group.flatMap((one) => others.map((other): [SimHost, SimHost] => [one, other])),
      "apart",
    );
  }

  /** Two groups do not reach each other; a while later one host changes from one group to the other. */
  #shift(mixed: readonly SimHost[]): void {
    const { random, world } = this.#field;
    const size = random.whole(1, mixed.length - 1);
    const undos = this.#part(mixed.slice(0, size));
    world.schedule(random.between(500, 2_500), () => {
      if (this.#field.isHealed) return;
      for (const undo of undos) undo();
      this.#part(mixed.slice(0, size + (size < mixed.length - 1 ? 1 : -1)));
    });
  }

  /** What is added to the returned list is undone with the rest. */
  #cut(pairs: readonly (readonly [SimHost, SimHost])[], shape: string): (() => void)[] {
    const { network, random } = this.#field;
    const isSilent = random.chance(0.6);
    this.#field.note("partition", () => `${shape} ${pairs.map(([a, b]) => a.id + b.id).join(" ")}`);
    const undos = pairs.map(([a, b]) => network.part(a.id, b.id, isSilent));
    this.#forAWhile(() => {
      for (const undo of undos) undo();
    });
    return undos;
  }

  /** The host hears nobody, or nobody hears it. */
  #halfCut(host: SimHost, shape: "deaf" | "mute"): void {
    const { hosts, network } = this.#field;
    this.#field.note("partition", () => `${host.id} ${shape}`);
    const others = hosts.filter((other) => other !== host);
    const undos = others.map((other) =>
      shape === "deaf" ? network.stall(other.id, host.id) : network.stall(host.id, other.id),
    );
    this.#forAWhile(() => {
      for (const undo of undos) undo();
    });
  }

  #forAWhile(undo: () => void): void {
    this.#field.undoLater(this.#field.drawMs(), undo);
  }
}

function pairsOf(hosts: readonly SimHost[]): [SimHost, SimHost][] {
  return hosts.flatMap((a, index) => hosts.slice(index + 1).map((b): [SimHost, SimHost] => [a, b]));
}
