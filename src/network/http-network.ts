/**
 * The network between real processes. Its links are connections that are taken over from HTTP, so that peers need no
 * port of their own. Both ends may dial, because perhaps only one of them knows the other. The newest link to a peer
 * wins.
 *
 * Two members A < B (by id) that dial at once end up with one link:
 *
 * 1. B's call reaches A while A's own call is young: A refuses B's call.
 * 2. A's call reaches B: B accepts it, and gives up its own.
 */

import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { assert } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { Complaints } from "../base/complaints.ts";
import { OperatingError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { PeerAnswer, PeerIdentity, PeerNotice, PeerRequest } from "../core/message.ts";
import { channelBinding } from "./channel-binding.ts";
import { type DialTls, dial, peerProtocol } from "./dial.ts";
import { Dialler, type DialOutcome } from "./dialler.ts";
import { HandshakeChannel, withinSignal } from "./handshake-channel.ts";
import {
  acceptHandshake,
  dialHandshake,
  type EstablishedLink,
  type LinkCredentials,
  LinkRefusedError,
  type Refusal,
} from "./link-handshake.ts";
import type { LinkSettings } from "./link-settings.ts";
import type { Network, PeerAddress, PeerHandler } from "./network.ts";
import { PeerLink } from "./peer-link.ts";

export interface HttpNetworkOptions {
  readonly identity: PeerIdentity;
  /** The cluster's name, the same in every member. */
  readonly cluster: string;
  /**
   * The secrets, the same in every member, never sent. They may be changed, so each handshake asks for them anew. A
   * call is made with the first, and taken with each.
   */
  readonly secrets: () => readonly string[];
  readonly settings: LinkSettings;
  readonly clock: Clock;
  /** Its ids are the nonces, so they must be unpredictable. */
  readonly random: Random;
  readonly log: Log;
  /** For peers with `https:` URLs. Certificates are renewed, so each dial asks for them anew. */
  readonly tls?: () => DialTls | undefined;
  /** Called for each request of a peer. */
  readonly onRequest?: (request: PeerRequest) => void;
  /** Called when it has been disposed of. */
  readonly onEnded?: () => void;
}

/** What is known of a peer that is in the list, or linked, or both. */
interface Peer {
  readonly id: string;
  /** Undefined for a peer that has called in and is not in the list. */
  url: string | undefined;
  link: PeerLink | undefined;
  /** Why there is no link, if that does not pass by itself. */
  refused: string | undefined;
  readonly dialler: Dialler;
}

/** The state of the connection to one peer. */
export interface PeerFigures {
  readonly id: string;
  readonly linked: boolean;
  /** Bytes that wait to be sent to the peer. */
  readonly queuedBytes: number;
  /** Requests to the peer that have no answer. */
  readonly inFlight: number;
}

export class HttpNetwork implements Network {
  readonly #options: HttpNetworkOptions;
  readonly #settings: LinkSettings;
  readonly #complaints: Complaints;
  readonly #peers = new Map<string, Peer>();
  /** Calls and dials that are not links yet. */
  readonly #underWay = new Set<Promise<unknown>>();
  /** The callers among these that have not proven themselves yet, the oldest first. */
  readonly #callers = new Set<AbortController>();
  #handler: PeerHandler | undefined;
  #ticker: Timer | undefined;
  /** Aborted when the network is disposed of. */
  readonly #end = new AbortController();

  constructor(options: HttpNetworkOptions) {
    const { settings } = options;
    this.#options = options;
    this.#settings = settings;
    this.#complaints = new Complaints(options.log, options.clock, settings.complaintMs);
  }

  start(handler: PeerHandler): void {
    assert(this.#handler === undefined, "a network is started once");
    this.#handler = handler;
  }

  setPeers(peers: readonly PeerAddress[]): void {
    assert(this.#handler !== undefined, "a network is started before it has peers");
    if (this.#disposed) return;
    // A member's own entry may be in the list, which is the same on every host.
    const urls = new Map(peers.map(({ id, url }) => [id, url]));
    urls.delete(this.#options.identity.id);
    for (const peer of this.#peers.values()) {
      if (peer.url === undefined || urls.has(peer.id)) continue;
      peer.url = undefined;
      peer.dialler.reset();
      if (peer.link === undefined) this.#peers.delete(peer.id);
      else peer.link.close("it is no longer among the peers");
    }
    for (const [id, url] of urls) {
      const peer = this.#peer(id);
      const moved = peer.url !== undefined && peer.url !== url;
      peer.url = url;
      if (peer.link !== undefined) continue;
      if (moved) peer.dialler.reset();
      peer.dialler.begin();
    }
  }

  disconnect(id: string, reason: string): void {
    this.#peers.get(id)?.link?.close(reason);
  }

  linked(id: string): PeerIdentity | undefined {
    return this.#peers.get(id)?.link?.peer;
  }

  refused(id: string): string | undefined {
    return this.#peers.get(id)?.refused;
  }

  /** The state of the connection to each peer that is listed or linked. */
  get peers(): readonly PeerFigures[] {
    return [...this.#peers.values()].map(({ id, link }) => ({
      id,
      linked: link !== undefined,
      queuedBytes: link?.queuedBytes ?? 0,
      inFlight: link?.inFlight ?? 0,
    }));
  }

  request(id: string, request: PeerRequest, deadlineMs: number): Promise<PeerAnswer> {
    const link = this.#peers.get(id)?.link;
    if (link === undefined) return Promise.reject(new OperatingError("peer_unreachable", `no link to ${id}`));
    return link.request(request, deadlineMs);
  }

  notify(id: string, notice: PeerNotice): boolean {
    return this.#peers.get(id)?.link?.notify(notice) ?? false;
  }

  /** For the HTTP server's `upgrade` event. Takes the connection over in any case, even to refuse it. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (request.headers.upgrade?.toLowerCase() !== peerProtocol) {
      refuseUpgrade(socket, "426 Upgrade Required", `This node speaks ${peerProtocol} here.`);
    } else if (this.#handler === undefined || this.#disposed) {
      this.#complaints.warn("busy", "a peer's call was refused: not started, or stopping", {});
      refuseUpgrade(socket, "503 Service Unavailable", "This node takes no calls of peers now.");
    } else {
      if (this.#callers.size >= this.#settings.maxHandshakes) this.#giveUpOldestCaller();
      this.#track(this.#answerCall(socket, head));
    }
  }

  /** Closes every link, without a redial. Requests without an answer fail with `peer_unreachable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#end.abort(new Error("this node is stopping"));
    this.#ticker?.cancel();
    for (const peer of this.#peers.values()) {
      peer.dialler.stop();
      peer.link?.close("this node is stopping");
    }
    this.#peers.clear();
    await Promise.all(this.#underWay);
    this.#options.onEnded?.();
  }

  get #disposed(): boolean {
    return this.#end.signal.aborted;
  }

  /** `work` must not reject. */
  #track(work: Promise<unknown>): void {
    this.#underWay.add(work);
    void work.then(() => this.#underWay.delete(work));
  }

  #peer(id: string): Peer {
    const known = this.#peers.get(id);
    if (known !== undefined) return known;
    const { clock, random } = this.#options;
    const attempt = async (signal: AbortSignal): Promise<DialOutcome> => {
      const work = this.#dial(peer, signal);
      this.#track(work);
      return await work;
    };
    const dialler = new Dialler({ settings: this.#settings, clock, random, attempt });
    const peer: Peer = { id, url: undefined, link: undefined, refused: undefined, dialler };
    this.#peers.set(id, peer);
    return peer;
  }

  async #dial(peer: Peer, givenUp: AbortSignal): Promise<DialOutcome> {
    const { clock, random, log, tls } = this.#options;
    const deadline = new AbortController();
    const timer = clock.after(this.#settings.handshakeMs, () => deadline.abort(new Error("no link in time")));
    const signal = AbortSignal.any([givenUp, deadline.signal, this.#end.signal]);
    const url = peer.url as string;
    try {
      const socket = await dial({ url, timeoutMs: this.#settings.handshakeMs, tls: tls?.() }, signal);
      const channel = new HandshakeChannel(socket, noBytes);
      const established = await withinSignal(channel, signal, () =>
        dialHandshake(channel, this.#credentials(socket), peer.id, random.id()),
      );
      this.#adopt(established, socket, channel.release());
      return "linked";
    } catch (error) {
      if (givenUp.aborted || this.#disposed) return "failed";
      const code = error instanceof LinkRefusedError ? error.code : "unreachable";
      if (code === "crossed") return "failed";
      if (code === "twin") this.#handler?.onRefused(peer.id);
      const mayPass = code === "unreachable" || code === "closing";
      peer.refused = mayPass ? undefined : (error as Error).message;
      const fields = { peer: peer.id, url, error };
      // A peer that stops or restarts in order is no cause for alarm.
      if (mayPass && !peer.dialler.isPersistent) log.debug("no link to a peer yet", () => fields);
      else this.#complaints.warn(`dial ${peer.id} ${code}`, "no link to a peer", fields);
      return mayPass ? "failed" : "hopeless";
    } finally {
      timer.cancel();
    }
  }

  /**
   * Gives up the caller that has taken longest. A peer proves itself in a moment, so that caller is the least likely to
   * be one. If the newest were refused, strangers that say nothing could keep all peers out.
   */
  #giveUpOldestCaller(): void {
    this.#complaints.warn(
      "busy",
      "too many callers at once: those that have taken longest to prove themselves are given up",
      {},
    );
    for (const oldest of this.#callers) {
      this.#callers.delete(oldest);
      oldest.abort(new Error("too many callers at once"));
      return;
    }
  }

  async #answerCall(socket: Duplex, head: Buffer): Promise<void> {
    const { clock, random, log } = this.#options;
    const address = socket instanceof Socket ? socket.remoteAddress : undefined;
    const deadline = new AbortController();
    this.#callers.add(deadline);
    const timer = clock.after(this.#settings.handshakeMs, () => deadline.abort(new Error("no proof in time")));
    const channel = new HandshakeChannel(socket, head);
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${peerProtocol}\r\n\r\n`);
    try {
      const signal = AbortSignal.any([deadline.signal, this.#end.signal]);
      const established = await withinSignal(channel, signal, () =>
        acceptHandshake(channel, this.#credentials(socket), random.id(), (caller) => this.#judge(caller)),
      );
      this.#adopt(established, socket, channel.release());
    } catch (error) {
      if (this.#disposed) return;
      if (error instanceof LinkRefusedError && error.code !== "crossed") {
        // Not by address: a stranger on IPv6 has as many as it likes.
        this.#complaints.warn(`call ${error.code}`, "a peer's call was refused", { address, error });
      } else log.debug("a peer's call came to nothing", () => ({ address, error }));
    } finally {
      this.#callers.delete(deadline);
      timer.cancel();
    }
  }

  #credentials(socket: Duplex): LinkCredentials {
    const { identity, cluster, settings } = this.#options;
    const secrets = this.#options.secrets();
    assert(secrets.length > 0 && !secrets.includes(""), "an empty secret protects nothing");
    const clusterId = this.#handler?.clusterId;
    return { identity, cluster, clusterId, secrets, binding: channelBinding(socket), receive: settings.receive };
  }

  /** A reason to refuse a caller of this identity, proven or not. */
  #judge(caller: PeerIdentity): Refusal | undefined {
    const self = this.#options.identity;
    if (this.#disposed) return { code: "closing", detail: `"${self.id}" is stopping` };
    if (caller.id === self.id) {
      const same = caller.incarnation === self.incarnation;
      const detail = same ? `"${self.id}" has called itself` : `two running nodes have the id "${self.id}"`;
      return { code: "self", detail };
    }
    const detail = this.#handler?.refusal(caller);
    if (detail !== undefined) return { code: "twin", detail };
    const calling = this.#peers.get(caller.id)?.dialler.tryingSince(this.#settings.crossedMs) === true;
    if (calling && self.id < caller.id) {
      return { code: "crossed", detail: `"${self.id}" is just calling "${caller.id}" itself` };
    }
    return undefined;
  }

  #adopt(established: EstablishedLink, socket: Duplex, rest: Buffer): void {
    const { settings, clock, log, onRequest } = this.#options;
    const handler = this.#handler as PeerHandler;
    if (socket instanceof Socket) {
      socket.setNoDelay(true);
      socket.setTimeout(0);
    }
    const identity = established.peer;
    this.#close(this.#peer(identity.id), "a newer link took its place");
    // The handler was told, and may have done anything meanwhile: it may have had this peer dialled.
    if (this.#disposed) {
      socket.destroy();
      return;
    }
    const peer = this.#peer(identity.id);
    peer.dialler.linked();
    peer.refused = undefined;
    const onClosed = (closed: PeerLink, reason: string): void => this.#onClosed(peer, closed, reason);
    const { limits } = established;
    const link = new PeerLink({
      peer: identity,
      socket,
      rest,
      limits,
      settings,
      handler,
      clock,
      log,
      onRequest,
      onClosed,
    });
    assert(peer.link === undefined, "a peer has one link");
    peer.link = link;
    log.info("linked to a peer", { peer: identity.id, incarnation: identity.incarnation });
    this.#keepTicking();
    handler.onLinkUp(identity);
    link.start();
  }

  /** Closes a peer's link without a redial. */
  #close(peer: Peer, reason: string): void {
    const link = peer.link;
    peer.link = undefined;
    link?.close(reason);
  }

  #onClosed(peer: Peer, link: PeerLink, reason: string): void {
    const lost = peer.link === link;
    if (lost) peer.link = undefined;
    this.#options.log.info("the link to a peer is closed", { peer: peer.id, reason });
    if (lost && !this.#disposed) {
      if (peer.url === undefined) this.#peers.delete(peer.id);
      else peer.dialler.begin();
    }
    this.#handler?.onLinkDown(link.peer);
  }

  #keepTicking(): void {
    if (this.#ticker !== undefined) return;
    const { clock } = this.#options;
    this.#ticker = clock.after(this.#settings.tickMs, () => {
      this.#ticker = undefined;
      let links = 0;
      for (const peer of this.#peers.values()) {
        if (peer.link === undefined) continue;
        links += 1;
        peer.link.tick();
      }
      if (links > 0 && !this.#disposed) this.#keepTicking();
    });
  }
}

const noBytes = Buffer.alloc(0);

/** Answers an upgrade with an HTTP error for people (and for `curl`), and closes the connection. */
function refuseUpgrade(socket: Duplex, status: string, text: string): void {
  socket.on("error", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nUpgrade: ${peerProtocol}\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${text.length}\r\n\r\n${text}`,
    () => socket.destroy(),
  );
}
