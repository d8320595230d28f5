/**
 * The port to the other members: one link per peer. On it, requests are answered by number, and notices are sent
 * without an answer. The implementation keeps links up (dialling, proof of the cluster secret, keep-alive,
 * reconnecting), and says when one comes and goes. It does not know what a message means.
 *
 * Messages on one link are delivered whole, once at most, and in the order in which they were sent. There are two
 * exceptions, so that bulk does not look like silence:
 *
 * - Pings, their pongs and notices overtake all others.
 * - A message whose value is large (`fragmentBytes` of the link's settings, 64 KiB) is delivered when the last of its
 *   pieces has come. Messages that were sent meanwhile come before it.
 *
 * So two messages about one key can change places if the first has a large value: receivers compare versions.
 *
 * Two things always hold:
 *
 * - Once a request has failed with `deadline_exceeded`, it is not delivered after anything that was sent later.
 * - Nothing comes from an older link once `onLinkUp` was called for a newer (W27).
 */

import type { PeerAnswer, PeerIdentity, PeerNotice, PeerRequest } from "../core/message.ts";

export interface PeerAddress {
  readonly id: string;
  /** Base URL, such as `http://10.0.0.2:7070`. */
  readonly url: string;
}

/** What the member does with the messages that arrive. */
export interface PeerHandler {
  /**
   * Handles a request. A payload in the message (`value`) may share memory with other messages: copy it to keep it. A
   * rejection is answered as a `refused` with the error's code. An error that is no OperatingError is `internal`, and
   * logged.
   */
  onRequest(from: PeerIdentity, request: PeerRequest): PeerAnswer | Promise<PeerAnswer>;
  onNotice(from: PeerIdentity, notice: PeerNotice): void;
  /**
   * The link to this process of the peer is up. If another process of the same id had one, its `onLinkDown` came first.
   */
  onLinkUp(peer: PeerIdentity): void;
  onLinkDown(peer: PeerIdentity): void;
  /** The id of the cluster that this process is in, or was in on the same data folder; undefined if there is none. */
  readonly clusterId: string | undefined;
  /**
   * Why this process gets no link although its id is a peer's, for the operators of both ends; undefined if it may have
   * one (V57).
   */
  refusal(caller: PeerIdentity): string | undefined;
  /** The member `id` has refused a link for such a reason: it is in a cluster, and this process is not (V54). */
  onRefused(id: string): void;
}

export interface Network extends AsyncDisposable {
  /** Begins to deliver to `handler`. Call it once, before any other method. */
  start(handler: PeerHandler): void;

  /**
   * Sets the peers to keep links to, in place of the previous list. A link to a peer that has left the list is closed.
   * A link to a peer that was in no list, and called in by itself, stays: a joiner is not in the others' lists yet.
   */
  setPeers(peers: readonly PeerAddress[]): void;

  /**
   * Closes the link to `id`, if there is one. Requests without an answer fail with `peer_unreachable`, in this turn or
   * the next. A peer in the list is dialled again.
   */
  disconnect(id: string, reason: string): void;

  /** The process at the other end of the link to `id`; undefined while there is none. */
  linked(id: string): PeerIdentity | undefined;

  /**
   * Why one of the two ends has refused a link to `id` for a reason that does not pass, such as another release;
   * undefined when nothing of the kind is known.
   */
  refused(id: string): string | undefined;

  /**
   * Sends a request and resolves with its answer. For the order in which requests arrive, see above. Buffers in it must
   * not be changed afterwards. Apart from its value, a message must be within the peer's `headBytes` (2 MiB): long
   * lists go in parts.
   *
   * A link that refuses a request by itself (a failed handler, too many at once) answers with a `refused` of epoch 0.
   *
   * @throws OperatingError `peer_unreachable` when there is no link or it breaks before the answer; `deadline_exceeded`
   *   after `deadlineMs`; `overloaded` when the queue to this peer is full; `value_too_large` or `internal` when the
   *   value, or the rest, is larger than the peer takes. In the first two cases the peer may have acted on the request.
   */
  request(id: string, request: PeerRequest, deadlineMs: number): Promise<PeerAnswer>;

  /** Sends a notice. Returns false, and sends nothing, when there is no link or its queue is full. */
  notify(id: string, notice: PeerNotice): boolean;
}
