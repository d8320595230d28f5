/**
 * A network of namespaces: each node has a host of its own, as far as sockets can tell, with one cable to a bridge;
 * this process and the store stand on the bridge too. Cables are cut, thinned and made lossy one way and pair by pair.
 * Everything carries this process's id in its name, and what runs that were killed have left behind is removed.
 */

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { promisify } from "node:util";
import { assert } from "../../../src/base/assert.ts";
import { type LinkEffect, type PacketRule, shapingCommands } from "./link-rules.ts";

const execute = promisify(execFile);

/** Where this process and the store are. */
export const hostEnd = "host";

export interface LinkRule {
  /** A node's id, or {@link hostEnd}. */
  readonly from: string;
  readonly to: string;
  readonly effect: LinkEffect;
  /** Of the packets between a node and the host, those of the store alone. */
  readonly storeOnly?: boolean;
}

/** Of the addresses that are kept for measuring networks (RFC 2544), so that nothing real has one. */
const subnetPrefix = "198.18";
const firstNodeHost = 10;

/** Milliseconds in which a connection comes up, or not at all. */
const probeMs = 700;

export class ChaosNetwork implements AsyncDisposable {
  readonly hostAddress: string;
  readonly #ids: readonly string[];
  readonly #subnet: string;
  #hasNetem = false;
  #storePort: number | undefined;
  #shaped: readonly string[] = [];

  private constructor(ids: readonly string[], subnet: string) {
    this.#ids = ids;
    this.#subnet = subnet;
    this.hostAddress = `${subnet}.1`;
  }

  /** A network with a place for each of `ids`, or why there can be none here. */
  static async create(ids: readonly string[]): Promise<ChaosNetwork | { readonly missing: string }> {
    if (process.platform !== "linux") return { missing: "network namespaces are Linux's" };
    if (process.getuid?.() !== 0) return { missing: "making network namespaces needs root" };
    try {
      await removeLeftovers();
      await using stack = new AsyncDisposableStack();
      const network = stack.use(new ChaosNetwork(ids, freeSubnet()));
      await network.#build();
      network.#hasNetem = await network.#probeNetem();
      await network.#probeCut();
      stack.move();
      return network;
    } catch (error) {
      return { missing: `no network of namespaces: ${error instanceof Error ? error.message.trim() : String(error)}` };
    }
  }

  addressOf(id: string): string {
    if (id === hostEnd) return this.hostAddress;
    const index = this.#ids.indexOf(id);
    assert(index >= 0, "a node of the network has a place in it");
    return `${this.#subnet}.${firstNodeHost + index}`;
  }

  /**
   * What a program is to be started by, to be on the node's host: it becomes that program, with the same process id.
   */
  commandPrefix(id: string): readonly string[] {
    return ["ip", "netns", "exec", namespaceOf(id)];
  }

  /** Where the store listens, on {@link hostAddress}. */
  setStorePort(port: number): void {
    this.#storePort = port;
  }

  /** From now on these rules hold, and no others. */
  async shape(rules: readonly LinkRule[]): Promise<void> {
    const heal = this.#shaped.map((end) => `qdisc del dev ${portOf(end)} root`);
    const ends = [...new Set(rules.map(({ to }) => to))];
    const commands = ends.flatMap((end) => {
      const packetRules = rules.filter(({ to }) => to === end).map((rule) => this.#packetRule(rule));
      return shapingCommands(portOf(end), packetRules, this.#hasNetem);
    });
    this.#shaped = ends;
    await batch("tc", [...heal, ...commands]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await remove(process.pid);
  }

  #packetRule({ from, to, effect, storeOnly }: LinkRule): PacketRule {
    const rule = { from: this.addressOf(from), effect };
    if (storeOnly !== true) return rule;
    assert(this.#storePort !== undefined, "the store is cut off once its port is known");
    assert(from === hostEnd || to === hostEnd, "the store is at the host's end");
    return { ...rule, port: { side: from === hostEnd ? "source" : "destination", number: this.#storePort } };
  }

  async #build(): Promise<void> {
    for (const id of this.#ids) await execute("ip", ["netns", "add", namespaceOf(id)]);
    const bridge = `${tagOf(process.pid)}-br`;
    await batch("ip", [
      `link add ${bridge} type bridge`,
      `link set ${bridge} up`,
      ...cable(hostEnd, bridge, `${tagOf(process.pid)}-h`),
      `addr add ${this.hostAddress}/24 dev ${tagOf(process.pid)}-h`,
      `link set ${tagOf(process.pid)}-h up`,
      ...this.#ids.flatMap((id) => cable(id, bridge, `eth0 netns ${namespaceOf(id)}`)),
    ]);
    for (const id of this.#ids) {
      await batch(
        "ip",
        [`addr add ${this.addressOf(id)}/24 dev eth0`, "link set eth0 up", "link set lo up"],
        ["-n", namespaceOf(id)],
      );
    }
  }

  async #probeNetem(): Promise<boolean> {
    const device = portOf(hostEnd);
    try {
      await batch("tc", [`qdisc add dev ${device} root netem delay 1ms`, `qdisc del dev ${device} root`]);
      return true;
    } catch {
      // A kernel without it says so; then the rules do without it.
      return false;
    }
  }

  /** Whether packets pass and can be stopped is found out by doing it: firewalls and kernels differ. */
  async #probeCut(): Promise<void> {
    const [first] = this.#ids;
    assert(first !== undefined, "a network has a node");
    if (!(await this.#connects(first))) throw new Error("packets do not pass between namespaces here");
    await this.shape([{ from: hostEnd, to: first, effect: "cut" }]);
    if (await this.#connects(first)) throw new Error("packets cannot be stopped between namespaces here");
    await this.shape([]);
  }

  /** Whether a connection from the node's host to a listener at the host's end comes up. */
  async #connects(id: string): Promise<boolean> {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, this.hostAddress, resolve));
    try {
      const { port } = server.address() as { port: number };
      const code = `require("node:net").connect(${port}, "${this.hostAddress}", () => process.exit(0)).on("error", () => process.exit(1));
        setTimeout(() => process.exit(1), ${probeMs})`;
      const [program, ...args] = [...this.commandPrefix(id), process.execPath, "-e", code];
      return await execute(program as string, args).then(
        () => true,
        () => false,
      );
    } finally {
      server.close();
    }
  }
}

/**
 * What the names of all devices of a process begin with: with their endings they have at most 15 characters, as they
 * must.
 */
function tagOf(pid: number): string {
  return `w${pid.toString(36)}`;
}

function namespaceOf(id: string): string {
  return `weir-${process.pid}-${id}`;
}

/** The bridge's end of the cable. What is sent into it reaches the node, or the host. */
function portOf(id: string): string {
  return `${tagOf(process.pid)}-p-${id === hostEnd ? "h" : id}`;
}

function cable(id: string, bridge: string, otherEnd: string): string[] {
  return [`link add ${portOf(id)} type veth peer name ${otherEnd}`, `link set ${portOf(id)} master ${bridge} up`];
}

function freeSubnet(): string {
  const taken = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
  for (let attempt = 0; attempt < 256; attempt++) {
    const subnet = `${subnetPrefix}.${(process.pid + attempt) % 256}`;
    if (!taken.some((address) => address.startsWith(`${subnet}.`))) return subnet;
  }
  throw new Error(`every subnet of ${subnetPrefix} is taken`);
}

/** Removes the networks of processes that are no more. */
async function removeLeftovers(): Promise<void> {
  const { stdout } = await execute("ip", ["netns", "list"]);
  const pids = new Set([...stdout.matchAll(/^weir-(\d+)-/gm)].map((match) => Number(match[1])));
  for (const pid of pids) if (!existsSync(`/proc/${pid}`)) await remove(pid);
}

/** The cables go with their namespaces. */
async function remove(pid: number): Promise<void> {
  const { stdout } = await execute("ip", ["netns", "list"]);
  for (const [name] of stdout.matchAll(/^weir-\d+-[^\s]+/gm)) {
    if (name.startsWith(`weir-${pid}-`)) await execute("ip", ["netns", "del", name]);
  }
  for (const device of [`${tagOf(pid)}-h`, `${tagOf(pid)}-br`]) {
    // Of a network that was built in part, some are not there.
    if (existsSync(`/sys/class/net/${device}`)) await execute("ip", ["link", "del", device]);
  }
}

async function batch(
  program: "ip" | "tc",
  commands: readonly string[],
  options: readonly string[] = [],
): Promise<void> {
  if (commands.length === 0) return;
  const child = execute(program, [...options, "-batch", "-"]);
  child.child.stdin?.end(`${commands.join("\n")}\n`);
  await child;
}
