/** Who was taken out of the configuration is asked to leave, once. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../../../src/base/errors.ts";
import { ConfiguredNodes } from "../../../../src/member/views/configured-nodes.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { ScriptedNetwork, turn } from "../../../harness/scripted-network.ts";
import { memberIn, memberOf, viewOf } from "../../../harness/view-fixtures.ts";

const [a, b, c] = [memberOf("a"), memberOf("b"), memberOf("c")];

/** Node a, whose configuration names all three. */
function trialOf() {
  const network = new ScriptedNetwork();
  const log = new RecordedLog();
  const nodes = new ConfiguredNodes({ membership: memberIn(viewOf(4, [a, b, c]), a), network, log }, [a, b, c]);
  const asked = (): string[] => network.sent.map(({ to, request }) => `${to} ${request.kind}`);
  return { network, log, nodes, asked };
}

describe("the nodes of the configuration", () => {
  it("asks a node that is removed to leave, and no other", async () => {
    const { network, nodes, asked } = trialOf();
    network.link(b, c);
    nodes.set([a, b]);
    assert.deepEqual(asked(), ["c leave"]);
    assert.deepEqual(
      nodes.named.map(({ id }) => id),
      ["a", "b"],
    );
    network.answer({ kind: "ack", epoch: 4 });
    await turn();
    // It knows. That it is back says that somebody wants it to be.
    nodes.set([a, b]);
    nodes.onReached("c");
    assert.equal(network.sent.length, 1);
  });

  it("asks it when it is reached, if it was not when it was removed", () => {
    const { network, nodes, asked } = trialOf();
    nodes.set([a]);
    assert.deepEqual(asked(), []);
    network.link(b, c);
    nodes.onReached("c");
    nodes.onReached("b");
    assert.deepEqual(asked(), ["c leave", "b leave"]);
  });

  it("asks again over the next link when the first was lost before the answer", async () => {
    const { network, nodes, log, asked } = trialOf();
    network.link(c);
    nodes.set([a, b]);
    network.answer(new OperatingError("peer_unreachable", "the link is gone"));
    await turn();
    assert.match(log.lines.map(({ message }) => message).join(), /could not be asked to leave/);
    nodes.onReached("c");
    assert.deepEqual(asked(), ["c leave", "c leave"]);
  });

  it("asks again one that has refused, as a node does that has not joined yet", async () => {
    const { network, nodes, asked } = trialOf();
    nodes.set([a, b]);
    network.link(c);
    nodes.onReached("c");
    nodes.onReached("c");
    assert.deepEqual(asked(), ["c leave"], "one request at a time");
    network.answer({ kind: "refused", code: "wrong_view", epoch: 0, detail: "a is not a member of this view" });
    await turn();
    nodes.onReached("c");
    network.answer({ kind: "ack", epoch: 5 });
    await turn();
    nodes.onReached("c");
    assert.deepEqual(asked(), ["c leave", "c leave"]);
  });

  it("asks one that stays again and again, says why it stays once, and ends when it is named again", async () => {
    const { network, nodes, log, asked } = trialOf();
    network.link(c);
    nodes.set([a, b]);
    for (let i = 0; i < 3; i += 1) {
      network.answer({ kind: "refused", code: "not_ready", epoch: 4, detail: "it stays, as 1 of 3 members ask" });
      await turn();
      nodes.onReached("c");
    }
    assert.equal(asked().length, 4);
    assert.deepEqual(
      log.lines.map(({ fields }) => fields),
      [{ peer: "c", reason: "it stays, as 1 of 3 members ask" }],
    );
    nodes.set([a, b, c]);
    network.answer({ kind: "refused", code: "not_ready", epoch: 4, detail: "it stays" });
    await turn();
    nodes.onReached("c");
    assert.equal(asked().length, 4);
  });

  it("does not ask one that is named again", () => {
    const { network, nodes, asked } = trialOf();
    nodes.set([a, b]);
    nodes.set([a, b, c]);
    network.link(b, c);
    nodes.onReached("c");
    assert.deepEqual(asked(), []);
  });
});
