/**
 * What ties a proof to the connection that it is sent on: 32 bytes that only the two ends of one TLS connection can
 * derive (RFC 9266, `tls-exporter`).
 *
 * An attacker may stand between two members, with a certificate that both trust, or with TLS on one side only. It then
 * has two connections with different bytes. So it can't pass a proof of one on to the other.
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
