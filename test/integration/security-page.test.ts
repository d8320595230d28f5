/** What docs/security.md says how to do works as it is written there. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { projectFile } from "../harness/deployment.ts";

test("the authority that the page has one make: strict clients take it, and its nodes' certificates", () => {
  const commands = /```sh\n(openssl req -x509[\s\S]*?)```/.exec(projectFile("docs/security.md"))?.[1];
  assert.ok(commands !== undefined);
  const folder = mkdtempSync(join(tmpdir(), "weir-authority-"));
  const run = (command: string): string => {
    const { status, stdout, stderr } = spawnSync("bash", ["-ec", command], { cwd: folder, encoding: "utf8" });
    assert.equal(status, 0, `${stdout}${stderr}`);
    return stdout;
  };
  try {
    run(commands);
    // Python 3.13 checks as strictly as this.
    assert.match(run("openssl verify -x509_strict -CAfile ca.pem -purpose sslserver node.pem"), /OK/);
    assert.match(run("openssl verify -x509_strict -CAfile ca.pem -purpose sslclient node.pem"), /OK/);
    assert.match(run("openssl x509 -in ca.pem -noout -ext keyUsage"), /critical\n.*Certificate Sign, CRL Sign/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
