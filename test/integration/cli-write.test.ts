/**
 * `weir put` and `weir rm` with what a write may ask for, and bodies that are not what `Content-MD5` says, against a
 * cluster of processes.
 */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { neverFlush, TestCluster } from "../harness/cluster.ts";
import { type Outcome, weir as runWeir } from "../harness/command.ts";
import { setStage } from "../harness/stage.ts";

const mebibyte = 1024 ** 2;
const large = Buffer.alloc(12 * mebibyte, "large ");

describe("writes of the command line", () => {
  const config = { ...neverFlush, buffer: { maxValueBytes: mebibyte } };
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start({ config })) }));

  function weir(args: readonly string[], input = ""): Promise<Outcome> {
    return runWeir(args, { env: { WEIR_URL: stage().cluster.url("b") }, input });
  }

  /** What a command that is to work prints as JSON. */
  async function told(args: readonly string[], input = ""): Promise<Record<string, string>> {
    const { code, stdout, stderr } = await weir([...args, "--json"], input);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Record<string, string>;
  }

  function assertConditionFailed({ code, stdout, stderr }: Outcome): void {
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^weir: the value does not meet the request's condition \(precondition_failed, 412\)\n/);
  }

  test("--if-none-match creates only, small values and large ones", async () => {
    const { cluster } = stage();
    await told(["put", "lock", "--if-none-match"], "mine");
    assertConditionFailed(await weir(["put", "lock", "--if-none-match"], "yours"));
    const file = join(cluster.folder, "large");
    writeFileSync(file, large);
    assertConditionFailed(await weir(["put", "lock", file, "--if-none-match"]));
    assert.equal((await cluster.get("a", "lock")).body.toString(), "mine");
  });

  test("--if-match replaces and removes only what is known", async () => {
    const { cluster } = stage();
    assertConditionFailed(await weir(["put", "swap", "--if-match", "*"], "x"));
    const first = await told(["put", "swap"], "first");
    const second = await told(["put", "swap", "--if-match", first["etag"] as string], "second");
    assertConditionFailed(await weir(["put", "swap", "--if-match", `"${first["etag"]}"`], "third"));
    assertConditionFailed(await weir(["rm", "swap", "--if-match", first["etag"] as string]));
    assert.equal((await cluster.get("a", "swap")).body.toString(), "second");
    await told(["rm", "swap", "--if-match", `"${second["etag"]}"`]);
    assert.equal((await cluster.get("a", "swap")).status, 404);
    assertConditionFailed(await weir(["rm", "swap", "--if-match", "*"]));
  });

  test("--durability stored is done when the store has it", async () => {
    const object = join(stage().cluster.storeFolder, "safe");
    assert.equal((await told(["put", "safe"], "first"))["durability"], "replicated");
    assert.equal(existsSync(object), false);
    assert.equal((await told(["put", "safe", "--durability", "stored"], "second"))["durability"], "stored");
    assert.equal(readFileSync(object, "utf8"), "second");
    assert.equal((await told(["rm", "safe", "--durability", "stored"]))["durability"], "stored");
    assert.equal(existsSync(object), false);
  });

  test("--meta is kept as what was given, in UTF-8", async () => {
    await told(["put", "about", "--meta", "Owner=Zoë=☃", "--meta", "a-1=", "--type", "text/plain"], "x");
    const { headers } = await stage().cluster.get("c", "about");
    assert.equal(Buffer.from(headers["x-weir-meta-owner"] as string, "latin1").toString(), "Zoë=☃");
    assert.deepEqual([headers["x-weir-meta-a-1"], headers["content-type"]], ["", "text/plain"]);
    const shown = JSON.parse((await weir(["get", "about", "--json"])).stdout) as { metadata: unknown };
    assert.deepEqual(shown.metadata, { owner: "Zoë=☃", "a-1": "" });
    const { code, stderr } = await weir(["put", "about", "--meta", "weir-version=1"], "y");
    assert.equal(code, 1);
    assert.match(stderr, /are weir's own \(header_invalid, 400\)/);
  });

  test("options that can't be meant are wrong usage: exit code 2, and nothing is sent", async () => {
    const cases = [
      [["put", "wrong", "--durability", "soon"], /Allowed choices are replicated, stored/],
      [["put", "wrong", "--if-match", ""], /must be one ETag/],
      [["put", "wrong", "--if-match", 'W/"x"'], /must be one ETag/],
      [["rm", "wrong", "--if-match", '"a", "b"'], /must be one ETag/],
      [["put", "wrong", "--if-match", "x", "--if-none-match"], /cannot be used with/],
      [["put", "wrong", "--meta", "owner"], /must be NAME=VALUE/],
      [["put", "wrong", "--meta", "own er=ada"], /must be NAME=VALUE/],
      [["put", "wrong", "--meta", "a=1", "--meta", "A=2"], /a value of A already/],
    ] as const;
    const outcomes = await Promise.all(cases.map(([args]) => weir(args)));
    for (const [n, [args, words]] of cases.entries()) {
      const { code, stderr } = outcomes[n] as Outcome;
      assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
      assert.match(stderr, words);
    }
    assert.equal((await stage().cluster.get("a", "wrong")).status, 404);
  });

  test("a body that is not what Content-MD5 says leaves the key as it was, in the buffer and in the store", async () => {
    const { cluster } = stage();
    for (const [key, value] of [
      ["sum/small", Buffer.from("small")],
      ["sum/large", large],
    ] as const) {
      const headers = { "content-md5": hash("md5", value, "base64") };
      const put = await cluster.put("a", key, value, headers);
      assert.deepEqual([put.status, put.headers["etag"]], [204, `"${hash("md5", value)}"`]);
      const torn = Buffer.from(value);
      torn[torn.length - 1] = 0;
      for (const id of cluster.ids) {
        const refused = await cluster.put(id, key, torn, headers);
        assert.deepEqual([refused.status, refused.code], [400, "body_invalid"]);
        const malformed = await cluster.put(id, key, torn, { "content-md5": hash("md5", torn) });
        assert.deepEqual([malformed.status, malformed.code], [400, "header_invalid"]);
        assert((await cluster.get(id, key)).body.equals(value));
      }
    }
    assert(readFileSync(join(cluster.storeFolder, "sum/large")).equals(large));
  });
});
