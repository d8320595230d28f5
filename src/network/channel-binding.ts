/**
 * What ties a proof to the connection that it is sent on: 32 bytes that only the two ends of one TLS connection can derive (RFC 9266, `tls-exporter`). Whoever stands between
 * two members, with a certificate that both trust or with TLS on one side only, has two connections with different bytes, and can't pass a proof of
 * the one on to the other.
 */

import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

const label = "EXPORTER-Channel-Binding";
const bindingBytes = 32;
const none = Buffer.alloc(0);

/** Empty for a connection without TLS. */
export function channelBinding(socket: Duplex): Buffer {
  return socket instanceof TLSSocket ? socket.exportKeyingMaterial(bindingBytes, label, none) : none;
}
