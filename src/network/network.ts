/**
 * The port to the other members: one ordered link per peer, over which requests are answered by number and notices are
 * sent without an answer. The implementation keeps links up (dialling, proof of the cluster secret, keep-alive, reconnecting) and says when one
 * comes and goes; what a message means is not its business.
 */

import type { PeerAnswer, PeerIdentity, PeerNotice, PeerRequest } from "../core/message.ts";

export type { PeerIdentity } from "../core/message.ts";

export interface PeerAddress {
  readonly id: string;
  /** Base URL, such as `http://10.0.0.2:7070`. */
  readonly url: string;
}

/** What the member does with what arrives. Calls for one link come in the order in which its peer sent. */
export interface PeerHandler {
  /**
   * A payload in the message (`value`) may share memory with other messages: copy it to keep it.
   * A rejection is answered as a `refused` with the error's code (`internal`, and logged, if it isn't an OperatingError).
   */
  onRequest(from: PeerIdentity, request: PeerRequest): PeerAnswer | Promise<PeerAnswer>;
  onNotice(from: PeerIdentity, notice: PeerNotice): void;
  /** The link to this process of the peer is up. If another process of the same id had one, its `onLinkDown` came first. */
  onLinkUp(peer: PeerIdentity): void;
  onLinkDown(peer: PeerIdentity): void;
}

export interface Network extends AsyncDisposable {
  /** Begins to deliver to `handler`; called once, before any other method. */
  start(handler: PeerHandler): void;

  /** The peers to keep links to, replacing the previous list; a link to a peer no longer named is closed. */
  setPeers(peers: readonly PeerAddress[]): void;

  /** The process at the other end of the link to `id`, or undefined while there is none. */
  linked(id: string): PeerIdentity | undefined;

  /**
   * Sends a request and resolves with its answer. Requests to one peer arrive in the order of the calls.
   * Buffers in it must not be changed afterwards.
   *
   * @throws OperatingError `peer_unreachable` when there is no link or it breaks before the answer; `deadline_exceeded` after `deadlineMs`;
   *   `overloaded` when the queue to this peer is full. In the first two cases the peer may have acted on it.
   */
  request(id: string, request: PeerRequest, deadlineMs: number): Promise<PeerAnswer>;

  /** Sends a notice; false (and nothing is sent) when there is no link or its queue is full. */
  notify(id: string, notice: PeerNotice): boolean;
}
