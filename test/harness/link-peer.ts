/**
 * A member as far as its links go: an HttpNetwork behind an HTTP server of its own on the loopback interface, with all
 * that its handler and its log were told kept in order, and a way to wait for it.
 */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { Log, LogFields } from "../../src/base/log.ts";
import { noHeaders } from "../../src/core/entry.ts";
import type { PeerAnswer, PeerIdentity, PeerRequest, WriteRequest } from "../../src/core/message.ts";
import { HttpNetwork } from "../../src/network/http-network.ts";
import { defaultLinkSettings, type LinkSettings } from "../../src/network/link-settings.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { patienceMs } from "./patience.ts";

/** As in production, but sooner. */
export const quickSettings: LinkSettings = { ...defaultLinkSettings, tickMs: 5, redialMinMs: 10, redialMaxMs: 100 };

/** Milliseconds in which all comes about on a quiet machine. */
const usualMs = 15_000;

export interface LinkPeerOptions {
  readonly settings?: Partial<LinkSettings>;
  readonly cluster?: string;
  readonly clusterId?: string;
  readonly refusal?: (caller: PeerIdentity) => string | undefined;
  readonly secrets?: readonly string[];
  readonly port?: number;
  /** In PEM; with it the peer speaks TLS. */
  readonly tls?: {
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    /** The newest that it speaks when it is called. */
    readonly maxVersion?: "TLSv1.2";
  };
  /** After the test has been told. */
  readonly onLinkDown?: (peer: LinkPeer) => void;
  /** Of the network. */
  readonly onAsked?: (request: PeerRequest) => void;
  readonly onRequest?: (from: PeerIdentity, request: PeerRequest) => PeerAnswer | Promise<PeerAnswer>;
}

export class LinkPeer implements AsyncDisposable {
  readonly identity: PeerIdentity;
  readonly network: HttpNetwork;
  readonly server: Server;
  readonly #scheme: string;
  /** What the handler was told, such as `up b` and `down b`, oldest first. */
  readonly events: string[] = [];
  readonly logged: { readonly level: string; readonly message: string; readonly fields: LogFields }[] = [];
  /** Connections of peers that have called in. */
  readonly sockets: Duplex[] = [];
  port = 0;
  #waiters: (() => void)[] = [];

  private constructor(id: string, options: LinkPeerOptions) {
    this.identity = { id, incarnation: systemRandom.id() };
    this.server = options.tls === undefined ? createServer() : createTlsServer(options.tls);
    this.#scheme = options.tls === undefined ? "http" : "https";
    this.network = new HttpNetwork({
      identity: this.identity,
      cluster: options.cluster ?? "test",
      tls: () => options.tls && { ca: options.tls.ca, cert: options.tls.cert, key: options.tls.key },
      secrets: () => options.secrets ?? ["the secret of the test"],
      settings: { ...quickSettings, ...options.settings },
      clock: systemClock,
      random: systemRandom,
      log: this.#log(),
      ...(options.onAsked && { onRequest: options.onAsked }),
    });
    const onRequest = options.onRequest ?? ((): PeerAnswer => ({ kind: "ack", epoch: 1 }));
    this.network.start({
      onRequest,
      onNotice: (from, notice) => this.#tell(`notice ${from.id} ${notice.state.epoch}`),
      onLinkUp: (peer) => this.#tell(`up ${peer.id} ${peer.incarnation}`),
      onLinkDown: (peer) => {
        this.#tell(`down ${peer.id} ${peer.incarnation}`);
        options.onLinkDown?.(this);
      },
      clusterId: options.clusterId,
      refusal: (caller) => options.refusal?.(caller),
      onRefused: (id) => this.#tell(`refused by ${id}`),
    });
    this.server.on("upgrade", (request, socket, head) => {
      this.sockets.push(socket);
      this.network.accept(request, socket, head);
      this.#wake();
    });
  }

  static async start(id: string, options: LinkPeerOptions = {}): Promise<LinkPeer> {
    const peer = new LinkPeer(id, options);
    peer.server.listen(options.port ?? 0, "127.0.0.1");
    await once(peer.server, "listening");
    peer.port = (peer.server.address() as AddressInfo).port;
    return peer;
  }

  get address(): { id: string; url: string } {
    return { id: this.identity.id, url: `${this.#scheme}://127.0.0.1:${this.port}` };
  }

  /** How often a link to `id` came up. */
  ups(id: string): number {
    return this.events.filter((event) => event.startsWith(`up ${id} `)).length;
  }

  warnings(): string[] {
    return this.logged
      .filter(({ level }) => level === "warn")
      .map(({ message, fields }) => `${message}: ${String(fields["error"])}`);
  }

  /**
   * Resolves as soon as it holds; it is looked at whenever somebody calls in, and the handler or the log is told
   * something.
   */
  async until(condition: () => boolean, withinMs = patienceMs(usualMs)): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    // A test that waits in vain fails, and disposes of what it has: else the process would wait with it.
    const timer = setTimeout(() => reject(new Error("it has not come about in time")), withinMs);
    try {
      while (!condition()) {
        await Promise.race([new Promise<void>((resolve) => this.#waiters.push(resolve)), late]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves once there is a link to the very process of `peer`. */
  untilLinked(peer: LinkPeer): Promise<void> {
    return this.until(() => this.network.linked(peer.identity.id)?.incarnation === peer.identity.incarnation);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]();
    this.server.close();
    this.server.closeAllConnections();
  }

  #tell(event: string): void {
    this.events.push(event);
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }

  #log(): Log {
    const at =
      (level: string) =>
      (message: string, fields: LogFields = {}) => {
        this.logged.push({ level, message, fields });
        this.#wake();
      };
    const debug: Log["debug"] = (message, fields) => at("debug")(message, fields?.());
    const log: Log = { debug, info: at("info"), warn: at("warn"), error: at("error"), child: () => log };
    return log;
  }
}

/** Two members with a link between them, dialled by the first. */
export async function linkedPair(
  first: LinkPeerOptions = {},
  second: LinkPeerOptions = {},
): Promise<[LinkPeer, LinkPeer]> {
  const a = await LinkPeer.start("a", first);
  const b = await LinkPeer.start("b", second);
  a.network.setPeers([b.address]);
  await Promise.all([a.untilLinked(b), b.untilLinked(a)]);
  return [a, b];
}

/** A write of `bytes` bytes, with `seq` as its request's counter. */
export function writeOf(seq: number, bytes: number): WriteRequest {
  return {
    kind: "write",
    epoch: 1,
    key: `key ${seq}`,
    requestId: { router: "0123456789abcdef0123456789abcdef", counter: seq },
    precondition: undefined,
    headers: noHeaders,
    value: Buffer.alloc(bytes, seq),
    md5: "",
    durability: "replicated",
    deadlineMs: 1000,
  };
}
