/** weir.service, by systemd's own judgement where there is one, and by the program's. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { commandMistake, loadDeployed, projectFile, stopBoundMs } from "../harness/deployment.ts";

const text = projectFile("deploy/weir.service");
const folder = mkdtempSync(join(tmpdir(), "weir-systemd-"));
after(() => rmSync(folder, { recursive: true }));

/** The value of a directive that stands once. */
function directive(name: string): string {
  const values = [...text.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map((match) => match[1] as string);
  assert.equal(values.length, 1, name);
  return values[0] as string;
}

/** Where systemd itself looks at a unit, its program replaced by one that is on any machine. */
function analyze(args: readonly string[]): { readonly status: number | null; readonly output: string } | undefined {
  const path = join(folder, "weir.service");
  writeFileSync(path, text.replaceAll("/usr/local/bin/weir", "/bin/true"));
  const { status, stdout, stderr, error } = spawnSync("systemd-analyze", [...args, path], { encoding: "utf8" });
  if (error !== undefined) {
    assert.notEqual(process.env["CI"], "true", "CI has systemd");
    return undefined;
  }
  return { status, output: stdout + stderr };
}

test("systemd finds no mistake in the unit, and little that it exposes", (context) => {
  const verified = analyze(["verify", "--man=no"]);
  if (verified === undefined) {
    context.skip("there is no systemd");
    return;
  }
  assert.deepEqual(verified, { status: 0, output: "" });
  // In tenths, of 100.
  const security = analyze(["security", "--offline=yes", "--threshold=20"]);
  assert.ok(security);
  assert.equal(security.status, 0, security.output);
});

test("it runs the program by a command that there is", () => {
  const [program, ...args] = directive("ExecStart").split(" ");
  assert.equal(program, "/usr/local/bin/weir");
  assert.equal(commandMistake(args), undefined);
  assert.equal(directive("ExecReload"), "/bin/kill -HUP $MAINPID");
});

test("a node that has left stays away, any other end is followed by a start, for ever", () => {
  assert.equal(directive("Restart"), "on-failure");
  assert.equal(directive("StartLimitIntervalSec"), "0");
});

test("it has longer to stop than a node takes, and the secret and the data folder are where its header says", () => {
  const settings = {
    cluster: "host",
    auth: "none",
    store: { type: "s3", bucket: "photos", region: "eu-central-1" },
    nodes: [{ id: "a", url: "http://10.0.0.1:7070" }],
  };
  const named = /"secret": "[^"]+", "data": "[^"]+"/.exec(text)?.[0];
  const { config, secretPaths } = loadDeployed(
    JSON.stringify({ ...settings, ...(JSON.parse(`{${named}}`) as object) }),
  );
  assert.ok(Number(directive("TimeoutStopSec")) * 1_000 >= stopBoundMs(config) + 10_000);
  const [credential, source] = directive("LoadCredential").split(":");
  assert.deepEqual(secretPaths, [`/run/credentials/weir.service/${credential}`]);
  assert.ok(text.includes(`${source} `), "the header says how to make the file");
  assert.equal(config.data, `/var/lib/${directive("StateDirectory")}`);
});
