/** What a file of certificates has: all of them, or nothing that counts. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseCertificates } from "../../../src/config/certificates.ts";
import { CertificateAuthority } from "../../harness/certificates.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-certificates-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("a bundle of authorities that was cut short holds none: those that are missing would be let out without a word", () => {
  const one = readFileSync(new CertificateAuthority(folder).ca, "utf8");
  assert.equal(parseCertificates(one + one)?.length, 2);
  assert.equal(parseCertificates(`a comment\n${one}`)?.length, 1);
  for (const cut of [2, 30, 200, one.length - 30]) {
    assert.equal(parseCertificates(one + one.slice(0, -cut)), undefined, `${cut} characters`);
    assert.equal(parseCertificates(one.slice(0, -cut) + one), undefined, `${cut} characters, before another`);
    assert.equal(parseCertificates(one.slice(cut) + one), undefined, `${cut} characters at its head`);
  }
});
