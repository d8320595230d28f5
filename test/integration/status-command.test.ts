/** `weir status` over a real cluster: what it says of stopping nodes, and of what keeps values from the store. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TestCluster } from "../harness/cluster.ts";
import { weir } from "../harness/command.ts";
import { setStage } from "../harness/stage.ts";
import { refuseStubbornKeys, stubbornPrefix, takeStoreAway } from "../harness/stubborn-keys.ts";

describe("weir status", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start({ nodes: 3 })) }));
  const status = async (): Promise<string> => {
    const { code, stdout, stderr } = await weir(["status", "--url", stage().cluster.url("a")]);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const verdict = async (id: string): Promise<string | undefined> =>
    (await stage().cluster.status("a")).members.find((member) => member.id === id)?.stop.verdict;

  test("lets any node of a healthy cluster be stopped, and says what a kill would mean", async () => {
    const text = await status();
    assert.match(text, /^a, b, c: yes\. It hands over 0 B to the others, in about 1 s\.$/m);
    assert.match(text, /^ {2}If it is killed: Nothing is lost: the store has all that it holds\./m);
    assert.doesNotMatch(text, /Failing/);
  });

  test("names a key that the store refuses, with its node and the reason", async (t) => {
    const { cluster } = stage();
    const relent = refuseStubbornKeys(cluster.storeFolder);
    t.after(relent);
    await cluster.put("a", `${stubbornPrefix}x`, "value");
    await cluster.until(20_000, "it is told", async () => (await status()).includes("Failing at"));
    assert.match(await status(), /^Failing at [abc]: "looped\/x" \(5 B, for .*\): .*ELOOP.*\(store_refused\)$/m);
  });

  test("lets no node be stopped while the store is away or another node is gone", async () => {
    const { cluster } = stage();
    const giveBack = takeStoreAway(cluster.storeFolder);
    for (let n = 0; n < 30; n++) await cluster.put("a", `status/${n}`, "v");
    await cluster.until(10_000, "the store is missed", async () => (await verdict("b")) === "no");
    assert.match(await status(), /The store has failed it for .*a node leaves by way of the store/);
    // Without the store nobody can be dropped: it is missed for as long as that takes.
    await cluster.process("c").kill();
    await cluster.until(20_000, "it is missed", async () => (await status()).includes("c can't be reached"));
    giveBack();
    await cluster.until(20_000, "the others go on", async () => (await verdict("b")) === "yes");
  });
});
