/**
 * A cluster of real processes over TLS, with certificates as openssl makes them: clients, nodes, renewal, and what is
 * refused.
 */

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { CertificateAuthority, type CertificateFiles } from "../harness/certificates.ts";
import { TestCluster } from "../harness/cluster.ts";
import { weir } from "../harness/command.ts";
import { HttpClient } from "../harness/http-client.ts";
import { RawConnection, rawRequest } from "../harness/raw-http.ts";
import { SteadyWrites } from "../harness/steady-writes.ts";

const timeout = 120_000;

const folder = mkdtempSync(join(tmpdir(), "weir-tls-"));
after(() => rmSync(folder, { recursive: true }));
const authority = new CertificateAuthority(join(folder, "ours"));
const stranger = new CertificateAuthority(join(folder, "theirs"), "a stranger");

const pem = (path: string): string => readFileSync(path, "utf8");
const portOf = (url: string): number => Number(new URL(url).port);

/** Two nodes; `tls` as in cluster.json. */
async function tlsCluster(tls: Readonly<Record<string, unknown>>, files?: CertificateFiles): Promise<TestCluster> {
  const shown = files && { cert: pem(files.cert), key: pem(files.key) };
  return await TestCluster.start({ nodes: 2, config: { tls }, tls: { ca: pem(authority.ca), ...shown } });
}

/** The certificate that the node shows, by its serial number, and the protocol spoken. */
async function handshake(port: number, options: Readonly<Record<string, unknown>> = {}): Promise<TLSSocket> {
  const socket = connectTls({ port, host: "127.0.0.1", ca: pem(authority.ca), ...options });
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed")));
  });
  return socket;
}

async function serialOf(port: number): Promise<string> {
  const socket = await handshake(port);
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

test("clients and nodes speak TLS on the one port, 1.2 at least, and commands find the authority in the configuration", {
  timeout,
}, async () => {
  await using cluster = await tlsCluster({ ...authority.issue(), ca: authority.ca });
  for (const [writer, reader] of [
    ["a", "b"],
    ["b", "a"],
  ] as const) {
    assert.equal((await cluster.put(writer, `by ${writer}`, "x".repeat(300_000))).status, 204);
    assert.equal((await cluster.get(reader, `by ${writer}`)).body.length, 300_000);
  }
  const env = { WEIR_TEST_SECRET: "only the nodes need it" };
  for (const args of [
    ["get", "by a", "--config", cluster.configPath],
    ["get", "by a", "--url", cluster.url("b"), "--ca", authority.ca],
    ["health", "--ready", "--config", cluster.configPath, "--node", "a"],
    ["status", "--config", cluster.configPath],
  ]) {
    const outcome = await weir(args, { env });
    assert.equal(outcome.code, 0, `${args.join(" ")}: ${outcome.stderr}`);
  }
  const byEnvironment = await weir(["rm", "by a", "--url", cluster.url("a")], { env: { WEIR_CA: authority.ca } });
  assert.equal(byEnvironment.code, 0, byEnvironment.stderr);
  const blind = await weir(["get", "by b", "--url", cluster.url("b")]);
  assert.equal(blind.code, 1);
  assert.match(blind.stderr, /from an authority that is unknown here; name that authority's file with --ca/);

  const port = portOf(cluster.url("a"));
  const newest = await handshake(port);
  assert.equal(newest.getProtocol(), "TLSv1.3");
  newest.destroy();
  const old = await handshake(port, { maxVersion: "TLSv1.2" });
  assert.equal(old.getProtocol(), "TLSv1.2");
  old.destroy();
  const ancient = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" };
  await assert.rejects(handshake(port, ancient), /protocol version|unsupported protocol|closed/);
});

test("plain HTTP to a port with TLS, and TLS to one without, come to nothing and harm nothing", {
  timeout,
}, async () => {
  await using secure = await tlsCluster({ ...authority.issue(), ca: authority.ca });
  await using plain = await TestCluster.start({ nodes: 1 });
  const port = portOf(secure.url("a"));
  for (const bytes of [
    rawRequest("GET", "/kv/a"),
    "GET /peer HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: weir-peer/1\r\n\r\n",
    "\x16\x03\x01\xff\xff",
    "",
  ]) {
    await using connection = await RawConnection.open(port);
    connection.send(bytes);
    connection.socket.end();
    assert.doesNotMatch(await connection.rest(), /200|204|101/);
  }
  const overPlain = await weir(["get", "k", "--url", secure.url("a").replace("https:", "http:")]);
  assert.equal(overPlain.code, 1);
  assert.match(overPlain.stderr, /perhaps it speaks TLS: https:\/\//);
  const overTls = await weir(["get", "k", "--url", plain.url("a").replace("http:", "https:")]);
  assert.equal(overTls.code, 1);
  assert.match(overTls.stderr, /does not speak TLS: write http:\/\//);
  assert.equal((await secure.put("a", "k", "v")).status, 204);
  assert.equal((await plain.put("a", "k", "v")).status, 204);
});

test("where clientCa is set nobody gets in without a certificate of it, nodes do with theirs", {
  timeout,
}, async () => {
  const node = authority.issue();
  const client = authority.issue({ names: "DNS:client", usage: "clientAuth" });
  const foreign = stranger.issue({ usage: "clientAuth" });
  await using cluster = await tlsCluster({ ...node, ca: authority.ca, clientCa: authority.ca }, client);
  assert.equal((await cluster.put("a", "k", "v")).status, 204);
  assert.equal((await cluster.get("b", "k")).body.toString(), "v");
  for (const files of [undefined, foreign]) {
    const shown = files && { cert: pem(files.cert), key: pem(files.key) };
    await using http = new HttpClient({ tls: { ca: pem(authority.ca), ...shown } });
    await assert.rejects(http.request(cluster.url("a"), "GET", "/healthz"));
  }
  const without = await weir(["get", "k", "--url", cluster.url("a"), "--ca", authority.ca]);
  assert.equal(without.code, 1);
  assert.match(without.stderr, /wants a client certificate.*--cert and --key/);
  const args = [
    "get",
    "k",
    "--url",
    cluster.url("a"),
    "--ca",
    authority.ca,
    "--cert",
    client.cert,
    "--key",
    client.key,
  ];
  assert.equal((await weir(args)).stdout, "v");
  // On a node's own host the node's certificate serves.
  assert.equal((await weir(["get", "k", "--config", cluster.configPath])).stdout, "v");
});

test("a renewed certificate is shown within seconds, under load and without a restart; a wrong one is not", {
  timeout,
}, async () => {
  const files = authority.issue();
  const inUse = { cert: join(folder, "live.pem"), key: join(folder, "live.key") };
  const install = (from: CertificateFiles): void => {
    copyFileSync(from.cert, inUse.cert);
    copyFileSync(from.key, inUse.key);
  };
  install(files);
  await using cluster = await tlsCluster({ ...inUse, ca: authority.ca });
  const port = portOf(cluster.url("a"));
  await using writes = new SteadyWrites((index) => cluster.put(index % 2 === 0 ? "a" : "b", "k", String(index)));
  const before = await serialOf(port);
  const expiry = async (): Promise<number> => {
    const { body } = await cluster.http.request(cluster.url("a"), "GET", "/metrics");
    return Number(/^weir_tls_certificate_expiry_timestamp_seconds (\S+)$/m.exec(body.toString())?.[1]) * 1_000;
  };
  const daysLeft = async (): Promise<number> => Math.round(((await expiry()) - Date.now()) / 86_400_000);
  assert.equal(await daysLeft(), 30);
  install(authority.issue({ days: 50 }));
  await cluster.until(20_000, "the new certificate is shown by all", async () => {
    const serials = await Promise.all(cluster.urls.map(async (url) => await serialOf(portOf(url))));
    return serials.every((serial) => serial !== before);
  });
  assert.equal(await daysLeft(), 50);
  const renewed = await serialOf(port);
  // Certificate and key that do not belong together, as between two writes, but for good.
  copyFileSync(authority.issue().cert, inUse.cert);
  await cluster.process("a").printed("have changed and are wrong; the node goes on with what it had");
  assert.match(cluster.log(), /live\.key is not the key of the certificate/);
  assert.equal(await serialOf(port), renewed);
  await writes.stop();
  assert.equal(writes.failed, 0);
  // New links use it, too: a node that starts with a certificate of its own is linked to those.
  install(authority.issue());
  await cluster.process("b").stop(15_000);
  cluster.restart("b");
  await cluster.untilReady();
  assert.equal((await cluster.get("b", "k")).status, 200);
});

test("what is wrong with certificates is said at the start and by weir check, all at once", { timeout }, async () => {
  await using cluster = await TestCluster.start({ nodes: 1 });
  const good = authority.issue();
  const nodes = [{ id: "a", url: "https://127.0.0.1:7999" }];
  const cases: readonly (readonly [tls: object, told: readonly RegExp[]])[] = [
    [{ cert: "none.pem", key: "none.key" }, [/tls\.cert: .*none\.pem can't be read \(ENOENT\)/, /tls\.key: .*ENOENT/]],
    [{ cert: good.key, key: good.cert }, [/tls\.cert: .* holds no certificate/, /tls\.key: .* holds no private key/]],
    [{ cert: good.cert, key: authority.issue().key }, [/tls\.key: .* is not the key of the certificate in /]],
    [authority.issue({ days: -1 }), [/tls\.cert: .* expired on \d{4}-/]],
    [
      authority.issue({ names: "DNS:example.org" }),
      [/is not for 127\.0\.0\.1, the host in .* but for DNS:example\.org/],
    ],
    [{ ...good, ca: stranger.ca }, [/tls\.cert: .* issued by no authority in tls\.ca/]],
    [{ ...good, clientCa: stranger.ca }, [/tls\.cert: .* issued by no authority in tls\.clientCa/]],
    [{ ...authority.issue({ usage: "serverAuth" }), clientCa: authority.ca }, [/is not for clients/]],
    [{ ...authority.issue({ usage: "clientAuth" }) }, [/is not for servers/]],
  ];
  const env = { WEIR_TEST_SECRET: "a secret of sixteen" };
  for (const [tls, told] of cases) {
    const path = cluster.writeOther("tls.json", { tls, nodes });
    const check = await weir(["check", path, "--node", "a"], { env });
    assert.equal(check.code, 1);
    for (const expected of told) assert.match(check.stderr, expected);
    const [firstCase] = cases;
    if (tls !== firstCase?.[0]) continue;
    const serve = await weir(["serve", "--config", path, "--node", "a"], { env });
    assert.equal(serve.code, 1);
    for (const expected of told) assert.match(serve.stdout, expected);
  }
  const path = cluster.writeOther("tls.json", { tls: { ...good, clientCa: authority.ca, warnDays: 60 }, nodes });
  const check = await weir(["check", path], { env });
  assert.equal(check.code, 0, check.stderr);
  assert.match(check.stdout, /tls .*DNS:localhost.* until \d{4}-\d\d-\d\d, (?:29|30) days from now: renew it/);
  const json = JSON.parse((await weir(["check", path, "--json", "--node", "a"], { env })).stdout) as {
    certificate: { expires: string; node: string };
  };
  assert.equal(json.certificate.node, "a");
  assert.ok(Date.parse(json.certificate.expires) > Date.now());
});
