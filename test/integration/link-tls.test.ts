/** Links over TLS: the proof of the secret is for the one connection, so that nobody stands between two members. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { connect as connectTls, createServer } from "node:tls";
import { CertificateAuthority } from "../harness/certificates.ts";
import { LinkPeer, writeOf } from "../harness/link-peer.ts";
import { hangMs } from "../harness/patience.ts";

const timeout = hangMs;

const folder = mkdtempSync(join(tmpdir(), "weir-link-tls-"));
after(() => rmSync(folder, { recursive: true }));
const authority = new CertificateAuthority(folder);

/** A certificate that every member trusts, and takes for the node at 127.0.0.1. */
function trusted(): { ca: string; cert: string; key: string } {
  const { cert, key } = authority.issue();
  return { ca: readFileSync(authority.ca, "utf8"), cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
}

/** Passes on all bytes between its caller and `port`, having ended the caller's TLS; `speaksTls` to the other side. */
async function standBetween(port: number, speaksTls: boolean): Promise<{ url: string; close: () => void }> {
  const server = createServer(trusted(), (inner) => {
    const outer = speaksTls
      ? connectTls({ port, host: "127.0.0.1", ca: readFileSync(authority.ca, "utf8") })
      : connect(port, "127.0.0.1");
    inner.pipe(outer).pipe(inner);
    inner.on("error", () => outer.destroy());
    outer.on("error", () => inner.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => void server.close() };
}

describe("a link over TLS", { timeout }, () => {
  test("carries messages of any size both ways", async () => {
    await using a = await LinkPeer.start("a", { tls: trusted() });
    await using b = await LinkPeer.start("b", { tls: trusted() });
    a.network.setPeers([b.address]);
    await Promise.all([a.untilLinked(b), b.untilLinked(a)]);
    for (const bytes of [0, 1, 70_000, 4_000_000]) {
      const answers = [
        a.network.request("b", writeOf(1, bytes), 5_000),
        b.network.request("a", writeOf(2, bytes), 5_000),
      ];
      for (const { kind } of await Promise.all(answers)) assert.equal(kind, "ack");
    }
  });

  for (const speaksTls of [true, false]) {
    test(`comes to nothing through somebody between with a trusted certificate, ${speaksTls ? "two links of TLS" : "TLS on one side"}`, async () => {
      await using a = await LinkPeer.start("a", { tls: trusted() });
      await using b = await LinkPeer.start("b", speaksTls ? { tls: trusted() } : {});
      const between = await standBetween(b.port, speaksTls);
      a.network.setPeers([{ id: "b", url: between.url }]);
      await Promise.all([a.until(() => a.warnings().length > 0), b.until(() => b.warnings().length > 0)]);
      for (const peer of [a, b]) {
        assert.match(peer.warnings()[0] ?? "", /do not have the same cluster secret/);
        assert.deepEqual(peer.events, []);
      }
      between.close();
    });
  }

  test("is not made to a node whose certificate is a stranger's or for another host, and the log says which", async () => {
    const stranger = new CertificateAuthority(join(folder, "stranger"), "a stranger");
    const read = (path: string): string => readFileSync(path, "utf8");
    const cases = [
      [stranger.issue(), /unable to verify|self-signed|unable to get/],
      [authority.issue({ names: "DNS:example.org" }), /IP: 127\.0\.0\.1 is not in the cert's list/],
      [authority.issue({ days: -1 }), /certificate has expired/],
    ] as const;
    for (const [{ cert, key }, expected] of cases) {
      await using a = await LinkPeer.start("a", { tls: trusted() });
      await using b = await LinkPeer.start("b", { tls: { ca: "", cert: read(cert), key: read(key) } });
      a.network.setPeers([b.address]);
      await a.until(() => a.warnings().length > 0);
      assert.match(a.warnings()[0] ?? "", expected);
      assert.deepEqual(b.events, []);
    }
  });
});

describe("a node that speaks an old TLS only", { timeout }, () => {
  test("gets no link: both ends are of weir's making", async () => {
    await using a = await LinkPeer.start("a", { tls: trusted() });
    await using b = await LinkPeer.start("b", { tls: { ...trusted(), maxVersion: "TLSv1.2" } });
    a.network.setPeers([b.address]);
    await a.until(() => a.warnings().length > 0 || a.events.length > 0);
    assert.match(a.warnings()[0] ?? "", /version/i);
  });
});

describe("a secret that is changed", { timeout }, () => {
  test("is taken by who accepts it, whichever is the first of each, and by nobody else", async () => {
    const [older, newer] = ["the older secret", "the newer secret"];
    const steps = [
      [[older], [older, newer]],
      [
        [older, newer],
        [newer, older],
      ],
      [[newer, older], [newer]],
    ] as const;
    for (const [ours, theirs] of steps) {
      for (const [dialler, acceptor] of [
        [ours, theirs],
        [theirs, ours],
      ] as const) {
        await using a = await LinkPeer.start("a", { secrets: dialler });
        await using b = await LinkPeer.start("b", { secrets: acceptor });
        a.network.setPeers([b.address]);
        await Promise.all([a.untilLinked(b), b.untilLinked(a)]);
      }
    }
    await using a = await LinkPeer.start("a", { secrets: [newer, older] });
    await using b = await LinkPeer.start("b", { secrets: [older] });
    a.network.setPeers([b.address]);
    await a.until(() => a.warnings().length > 0);
    assert.match(a.warnings()[0] ?? "", /do not have the same cluster secret/);
  });
});
