/** Connects to a peer's HTTP port, and takes the connection over from HTTP by `Upgrade` (RFC 9110, section 7.8). */

import type { Duplex } from "node:stream";
import { Client, errors } from "undici";

/**
 * The name in `Upgrade`. It has the version of the handshake that follows. The version of the frames is in the
 * handshake.
 */
export const peerProtocol = "weir-peer/1";

/** The path that is asked for, below the peer's base URL. */
const peerPath = "peer";

/** For `https:` URLs, in PEM. */
export interface DialTls {
  /** Authorities to trust in place of the system's. */
  readonly ca?: string | Buffer;
  /** Certificate and key of this member, for a peer that asks for them. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

export interface DialOptions {
  /** Base URL of the peer. */
  readonly url: string;
  /** Milliseconds after which it gives up waiting for the connection, and then for the answer. */
  readonly timeoutMs: number;
  readonly tls: DialTls | undefined;
}

/**
 * The connection, paused. Nothing that came behind the answer has been read from it. Rejects when there is none, and
 * when `signal` is aborted.
 */
export async function dial(options: DialOptions, signal: AbortSignal): Promise<Duplex> {
  const { url, timeoutMs, tls } = options;
  const base = new URL(url.endsWith("/") ? url : `${url}/`);
  const client = new Client(base.origin, {
    // Both ends are weir, so it need not speak to anything older.
    connect: { ...tls, timeout: timeoutMs, minVersion: "TLSv1.3" },
    headersTimeout: timeoutMs,
    allowH2: false,
  });
  try {
    const path = new URL(peerPath, base).pathname;
    const { socket } = await client.upgrade({ path, protocol: peerProtocol, signal });
    return socket;
  } catch (cause) {
    // The client's own words for it are "bad upgrade".
    if (!(cause instanceof errors.SocketError) || signal.aborted) throw cause;
    throw new Error(`${url} answers, but does not take calls of peers: it is not weir, or too busy`, { cause });
  } finally {
    // Once it is taken over, the connection is no longer the client's.
    void client.destroy();
  }
}
