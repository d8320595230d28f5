/** Every limit of the links between members, with what it costs and the reason for its value. */

import { complaintIntervalMs } from "../base/complaints.ts";
import type { ReceiveLimits } from "./frame.ts";

export interface LinkSettings {
  /** What a peer may send to this process. The peer is told when the link is made. */
  readonly receive: ReceiveLimits;

  /**
   * A larger payload is sent in pieces of this size, with smaller messages between them. At 1 Gbit/s one piece holds up
   * other messages for 0.5 ms.
   */
  readonly fragmentBytes: number;
  /**
   * Bytes of pieces that are on their way and not read by the peer. Smaller messages wait behind at most this many,
   * even on a slow network. At a round trip of 1 ms it allows 500 MB/s.
   */
  readonly bulkWindowBytes: number;
  /**
   * A payload of up to this size is copied between its neighbours. A larger one costs less as a buffer of its own in
   * the socket's write.
   */
  readonly inlineBytes: number;
  /**
   * Small messages that wait are written to the socket in blocks of about this size, so that urgent ones can pass
   * between.
   */
  readonly blockBytes: number;
  /**
   * About this many bytes are written to one socket in one turn of the event loop. Then other sockets have their turn.
   */
  readonly turnBytes: number;

  /**
   * Bytes that may wait to be sent to one peer, payloads included. Over it requests fail with `overloaded`. One message
   * passes whatever its size.
   */
  readonly maxQueueBytes: number;
  /**
   * Bytes beyond that for answers without a value, pings and states. An end that does not read even those loses the
   * link.
   */
  readonly queueReserveBytes: number;
  /** Requests to one peer that have no answer yet. Over it they fail with `overloaded`. */
  readonly maxInFlight: number;
  /** Requests of one peer that are being handled. Over it they are refused with `overloaded`. */
  readonly maxIncoming: number;

  /**
   * How often deadlines and silence are checked, in milliseconds. Requests expire up to this much late. A check of each
   * 20 ms took a seventh of an idle node's processor time.
   */
  readonly tickMs: number;
  /** After hearing nothing for this long, it asks the peer whether it is there. In milliseconds. */
  readonly probeAfterMs: number;
  /** After hearing nothing for this long, it closes the link. In milliseconds. */
  readonly silenceMs: number;

  /** The longest time from connecting to a proven link, in milliseconds. */
  readonly handshakeMs: number;
  /** Connections that have called in and not proven themselves. When there are more, the oldest is given up. */
  readonly maxHandshakes: number;
  /**
   * The wait before a lost link is dialled again, in milliseconds: about this at first, then twice as long each time
   * ...
   */
  readonly redialMinMs: number;
  /** ... up to this. After a refusal that only an operator can end, it waits this long at once. */
  readonly redialMaxMs: number;
  /** A link that lasted this long was a good one: the next wait is short again. In milliseconds. */
  readonly steadyMs: number;
  /** While its own dial is younger than this, in milliseconds, the member with the smaller id refuses the other's. */
  readonly crossedMs: number;
  /** The same complaint is logged at most once in this time, in milliseconds. */
  readonly complaintMs: number;
}

const kibi = 1024;
const mebi = 1024 * kibi;

export const defaultLinkSettings: LinkSettings = {
  receive: {
    frameBytes: mebi,
    // A thousand outcomes of requests with the longest keys are 1.1 MB.
    headBytes: 2 * mebi,
    payloadBytes: 16 * mebi,
    reassemblyBytes: 32 * mebi,
    interleaved: 8,
  },
  fragmentBytes: 64 * kibi,
  bulkWindowBytes: 512 * kibi,
  inlineBytes: 8 * kibi,
  blockBytes: 64 * kibi,
  turnBytes: mebi,
  maxQueueBytes: 32 * mebi,
  queueReserveBytes: 4 * mebi,
  maxInFlight: 16_384,
  maxIncoming: 16_384,
  tickMs: 100,
  probeAfterMs: 500,
  silenceMs: 3000,
  handshakeMs: 3000,
  maxHandshakes: 64,
  redialMinMs: 50,
  redialMaxMs: 2000,
  steadyMs: 2000,
  crossedMs: 500,
  complaintMs: complaintIntervalMs,
};
