/** The server for clients with TLS, where connections are not yet anybody's while their handshake is under way. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { CertificateAuthority } from "../harness/certificates.ts";
import { HttpHost } from "../harness/http-host.ts";
import { hangMs } from "../harness/patience.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-http-tls-"));
after(() => rmSync(folder, { recursive: true }));
const authority = new CertificateAuthority(folder);
const { cert, key } = authority.issue();
const tls = { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
const ca = readFileSync(authority.ca, "utf8");

test("a connection whose handshake ends after the server has stopped is closed at once, and keeps no process from ending", {
  timeout: hangMs,
}, async () => {
  const host = await HttpHost.start({}, { tls });
  const socket = connect(host.port, "127.0.0.1");
  await once(socket, "connect");
  // Another that is served shows that the server has taken the first.
  const other = connectTls({ port: host.port, host: "127.0.0.1", ca });
  await once(other, "secureConnect");
  const closed = once(other, "close");
  await host[Symbol.asyncDispose]();
  await closed;
  const late = connectTls({ socket, servername: "localhost", ca });
  late.on("error", () => undefined);
  // It leaves in one piece with the end of the handshake, and is read with it.
  late.write("GET /kv/key HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(late, "close");
  assert.equal(host.server.connections, 0);
});

test("bytes that move within TLS keep a connection, and one on which none do is closed", {
  timeout: hangMs,
}, async () => {
  const stallMs = 400;
  await using host = await HttpHost.start({ stallMs, keepAliveMs: stallMs }, { tls });
  const socket = connectTls({ port: host.port, host: "127.0.0.1", ca });
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  const body = "0123456789".repeat(2);
  socket.write(`PUT /kv/key HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`);
  for (const digit of body) {
    await sleep(systemClock, stallMs / 8);
    socket.write(digit);
  }
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1.1 204 /);
  await once(socket, "close");
});
