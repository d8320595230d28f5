/** Certificates that change while a node runs: which are used, what is told, and when one is about to expire. */

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Clock, sleep } from "../../../src/base/clock.ts";
import { loadTls, type TlsMaterial } from "../../../src/config/tls-files.ts";
import { TlsReload } from "../../../src/config/tls-reload.ts";
import { systemClock } from "../../../src/system.ts";
import { CertificateAuthority, type CertificateFiles } from "../../harness/certificates.ts";
import { ManualClock } from "../../harness/manual-clock.ts";
import { RecordedLog } from "../../harness/recorded-log.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-tls-reload-"));
after(() => rmSync(folder, { recursive: true }));
const authority = new CertificateAuthority(folder);
const host = "127.0.0.1";
const dayMs = 86_400_000;
const pollMs = 5_000;

class Reloading implements Disposable {
  readonly log = new RecordedLog();
  readonly used: TlsMaterial[] = [];
  readonly tls: { cert: string; key: string; clientCa?: string; warnDays: number } = {
    cert: join(folder, "live.pem"),
    key: join(folder, "live.key"),
    warnDays: 14,
  };
  readonly #manual = new ManualClock();
  /** The dates are of now, as the certificates' are. */
  readonly #clock: Clock;
  #reload: TlsReload | undefined;

  constructor() {
    const startMs = Date.now();
    const manual = this.#manual;
    this.#clock = {
      now: () => manual.now(),
      wallMs: () => startMs + manual.now(),
      after: (ms, callback) => manual.after(ms, callback),
    };
  }

  install({ cert, key }: Partial<CertificateFiles>): void {
    if (cert !== undefined) copyFileSync(cert, this.tls.cert);
    if (key !== undefined) copyFileSync(key, this.tls.key);
  }

  async start(): Promise<TlsMaterial> {
    const material = await loadTls(this.tls, { host, nowMs: Date.now() });
    const onChange = (next: TlsMaterial): void => void this.used.push(next);
    const { tls, log } = this;
    this.#reload = new TlsReload({ tls, host, material, clock: this.#clock, log, onChange, pollMs });
    return material;
  }

  /** Lets so much time pass, with one look in it. */
  async pass(ms: number): Promise<void> {
    this.#manual.advance(ms);
    while (this.#manual.idle) await new Promise((resolve) => setImmediate(resolve));
  }

  async look(): Promise<void> {
    await this.pass(pollMs);
  }

  /** Ends in the middle of a look. */
  async endWithin(): Promise<void> {
    this.#manual.advance(pollMs);
    this[Symbol.dispose]();
    await sleep(systemClock, 200);
    assert.ok(this.#manual.idle, "it looks no more");
  }

  [Symbol.dispose](): void {
    this.#reload?.[Symbol.dispose]();
  }
}

test("a certificate that is replaced is used from the next look on, once", async () => {
  using node = new Reloading();
  node.install(authority.issue());
  await node.start();
  await node.look();
  assert.equal(node.used.length, 0);
  const next = authority.issue();
  node.install(next);
  await node.look();
  await node.look();
  assert.equal(node.used.length, 1);
  assert.deepEqual(node.log.messages("info"), ["the tls files have changed: new connections use them"]);
  assert.deepEqual(node.log.messages("error"), []);
});

test("authorities of clients that change are used, too", async () => {
  using node = new Reloading();
  node.tls.clientCa = join(folder, "clients.pem");
  node.install(authority.issue());
  copyFileSync(authority.ca, node.tls.clientCa);
  await node.start();
  const another = new CertificateAuthority(join(folder, "another"), "another");
  writeFileSync(node.tls.clientCa, readFileSync(authority.ca, "utf8") + readFileSync(another.ca, "utf8"));
  await node.look();
  await node.look();
  assert.deepEqual(
    node.used.map(({ texts }) => texts.clientCa),
    [readFileSync(node.tls.clientCa, "utf8")],
  );
  // Nobody could be let in by another's alone, the other nodes neither.
  copyFileSync(another.ca, node.tls.clientCa);
  for (let i = 0; i < 3; i++) await node.look();
  assert.equal(node.used.length, 1);
  assert.match(String(node.log.lines.at(-1)?.fields?.["error"]), /was issued by no authority in tls\.clientCa/);
});

test("a certificate that takes another's place and expires soon itself is told at once", async () => {
  using node = new Reloading();
  node.install(authority.issue({ days: 10 }));
  await node.start();
  node.install(authority.issue({ days: 11 }));
  await node.look();
  assert.equal(node.log.messages("warn").length, 2);
});

test("between the writes of certificate and key nothing is used and nothing told", async () => {
  using node = new Reloading();
  node.install(authority.issue());
  await node.start();
  const next = authority.issue();
  node.install({ cert: next.cert });
  await node.look();
  assert.deepEqual([node.used.length, node.log.lines.length], [0, 0]);
  node.install({ key: next.key });
  await node.look();
  assert.equal(node.used.length, 1);
  assert.deepEqual(node.log.messages("error"), []);
});

test("files that stay wrong are told once for each thing that is wrong, and never used", async () => {
  using node = new Reloading();
  const first = authority.issue();
  node.install(first);
  await node.start();
  node.install({ cert: authority.issue().cert });
  for (let i = 0; i < 4; i++) await node.look();
  assert.match(String(node.log.lines[0]?.fields?.["error"]), /live\.key is not the key of the certificate/);
  writeFileSync(node.tls.cert, "nothing");
  for (let i = 0; i < 4; i++) await node.look();
  rmSync(node.tls.cert);
  for (let i = 0; i < 4; i++) await node.look();
  const errors = node.log.lines.map(({ fields }) => String(fields?.["error"]).split("\n")[1]);
  assert.match(errors[1] ?? "", /live\.pem holds no certificate/);
  assert.match(errors[2] ?? "", /live\.pem can't be read \(ENOENT\)/);
  assert.equal(errors.length, 3);
  assert.equal(node.used.length, 0);
  node.install(first);
  await node.look();
  assert.equal(node.log.lines.length, 3);
});

test("files that can't be read from the first look on are told, too, and those that are away for one look are not", async () => {
  using node = new Reloading();
  const first = authority.issue();
  node.install(first);
  await node.start();
  rmSync(node.tls.cert);
  await node.look();
  assert.equal(node.log.lines.length, 0);
  for (let i = 0; i < 3; i++) await node.look();
  assert.equal(node.log.messages("error").length, 1);
  node.install(first);
  await node.look();
  rmSync(node.tls.key);
  await node.look();
  node.install(first);
  await node.look();
  assert.equal(node.log.messages("error").length, 1);
});

test("a certificate is told to expire from warnDays before on, once a day, and to have expired", async () => {
  using node = new Reloading();
  node.install(authority.issue({ days: 16 }));
  await node.start();
  await node.pass(1 * dayMs);
  assert.deepEqual(node.log.lines, []);
  await node.pass(2 * dayMs);
  for (let i = 0; i < 5; i++) await node.look();
  assert.deepEqual(node.log.messages("warn"), ["the certificate expires soon: renew it"]);
  await node.pass(1 * dayMs);
  assert.equal(node.log.messages("warn").length, 2);
  await node.pass(14 * dayMs);
  assert.deepEqual(node.log.messages("error"), ["the certificate has expired: clients and the other nodes refuse it"]);
});

test("what a look finds whose node has ended meanwhile is neither used nor told", async () => {
  for (const next of [() => authority.issue(), () => ({ cert: authority.issue().cert })]) {
    using node = new Reloading();
    node.install(authority.issue());
    await node.start();
    node.install(next());
    await node.endWithin();
    assert.deepEqual([node.used.length, node.log.lines.length], [0, 0]);
  }
});
