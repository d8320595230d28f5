/** The commands that shape a link: who is cut from whom must be exactly that. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { shapingCommands } from "../../harness/chaos/link-rules.ts";

test("a device without rules needs no commands, so that it is as fast as it was", () => {
  assert.deepEqual(shapingCommands("p", [], false), []);
});

test("a cut drops what one sender sends, and nothing else", () => {
  assert.deepEqual(shapingCommands("p", [{ from: "198.18.0.10", effect: "cut" }], false), [
    "qdisc add dev p root handle 1: htb default 1",
    "class add dev p parent 1: classid 1:1 htb rate 10gbit quantum 60000",
    "class add dev p parent 1: classid 1:2 htb rate 10gbit quantum 60000",
    "qdisc add dev p parent 1:2 bfifo limit 1",
    "filter add dev p parent 1: protocol ip prio 2 u32 match ip src 198.18.0.10/32 flowid 1:2",
  ]);
});

test("a cut from the store is one of its port alone, at the end where it is", () => {
  const port = { side: "source", number: 9_000 } as const;
  assert.match(
    shapingCommands("p", [{ from: "198.18.0.1", effect: "cut", port }], false).at(-1) as string,
    /match ip src 198\.18\.0\.1\/32 match ip sport 9000 0xffff flowid 1:2$/,
  );
  const there = { side: "destination", number: 9_000 } as const;
  assert.match(
    shapingCommands("p", [{ from: "198.18.0.10", effect: "cut", port: there }], false).at(-1) as string,
    /match ip dport 9000 0xffff flowid 1:2$/,
  );
});

test("several rules on one device have a class each", () => {
  const rules = ["198.18.0.10", "198.18.0.11"].map((from) => ({ from, effect: "slow" }) as const);
  const filters = shapingCommands("p", rules, false).filter((command) => command.startsWith("filter"));
  assert.deepEqual(
    filters.map((command) => command.replace(/^.*match ip src /, "")),
    ["198.18.0.10/32 flowid 1:2", "198.18.0.11/32 flowid 1:3"],
  );
});

test("a lossy link drops each packet with a chance where the kernel can, and one in sixteen where it can't", () => {
  const rule = { from: "198.18.0.10", effect: "lossy" } as const;
  assert.ok(shapingCommands("p", [rule], true).some((command) => command.endsWith("netem loss 6%")));
  assert.match(shapingCommands("p", [rule], false).at(-1) as string, /match u16 0x0000 0x000f at 4/);
});
