/** The view's record: what is said about one that is not a view, and what it tells of a process. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isOperatingError } from "../../../src/base/errors.ts";
import { formatView, listsProcess, parseView, ringOf, type View } from "../../../src/core/view.ts";
import { firstView, joinedView, settledView } from "../../../src/core/view-changes.ts";
import { memberOf, parameters, pastOf, viewOf } from "../../harness/view-fixtures.ts";

const [a, b, c] = [memberOf("a"), memberOf("b", { zone: "z1" }), memberOf("c")];
const settled: View = { ...viewOf(7, [a, c]), settled: true };

describe("listsProcess", () => {
  it("is true of the very process that the view names, and of no other of its id", () => {
    assert.equal(listsProcess(settled, a), true);
    assert.equal(listsProcess(settled, { id: "a", incarnation: "a-2" }), false);
    assert.equal(listsProcess(settled, { id: "b", incarnation: "a-1" }), false);
  });
});

describe("ringOf", () => {
  it("goes by the weights and zones of the members and the view's number of replicas", () => {
    const members = [
      memberOf("a", { zone: "z1" }),
      memberOf("b", { zone: "z1" }),
      memberOf("c", { zone: "z2" }),
      memberOf("d", { weight: 0 }),
    ];
    const { lists } = ringOf(members, parameters);
    for (const list of lists) assert.ok(list.length === 2 && list.includes("c") && !list.includes("d"), String(list));
  });
});

describe("ringOf, asked again", () => {
  const members = [memberOf("a"), memberOf("b"), memberOf("c")];

  it("gives the same ring for the same members, whatever else has changed of them", () => {
    const later = members.map((member) => ({ ...member, incarnation: `${member.id}-9` }));
    assert.equal(ringOf(later, parameters), ringOf(members, parameters));
  });

  it("gives another ring for another weight, zone, id or number of replicas", () => {
    const ring = ringOf(members, parameters);
    const [first, ...others] = members as [(typeof members)[0], ...typeof members];
    for (const changed of [
      { ...first, weight: 0 },
      { ...first, zone: "z" },
      { ...first, id: "d" },
    ]) {
      assert.notEqual(ringOf([changed, ...others], parameters), ring);
    }
    assert.notEqual(ringOf(members, { ...parameters, replicas: 3 }), ring);
    assert.notEqual(ringOf(others, parameters), ring);
  });
});

describe("parseView", () => {
  const view = joinedView(joinedView(settled, b, "p2"), memberOf("d"), "p3");

  /** What is said about the record `json`; fails when nothing is. */
  function complaint(json: unknown): string {
    try {
      parseView(Buffer.from(typeof json === "string" ? json : JSON.stringify(json)));
    } catch (error) {
      assert.ok(isOperatingError(error, "store_refused"), String(error));
      assert.match(error.message, /\.weir\/view\.json in the store/);
      return error.message;
    }
    assert.fail(`taken for a view: ${JSON.stringify(json)}`);
  }

  it("reads what formatView wrote", () => {
    for (const each of [view, settled, firstView(b, parameters, "p")]) {
      assert.deepEqual(parseView(formatView(each)), each);
    }
  });

  it("says that a record is not JSON", () => {
    for (const text of ["", "{", "<Error/>", "\ufeff{}"]) assert.match(complaint(text), /not JSON/);
  });

  it("says where a record differs from a view", () => {
    assert.match(complaint({ ...view, epoch: 0 }), /at epoch/);
    assert.match(complaint({ ...view, epoch: 1.5 }), /at epoch/);
    assert.match(complaint({ ...view, settled: "yes" }), /at settled/);
    assert.match(complaint({ ...view, members: [a, { ...b, url: undefined }] }), /at members\[1\]\.url/);
    assert.match(complaint({ ...view, lineage: [{ ...pastOf(settled), epoch: "7" }] }), /at lineage\[0\]\.epoch/);
    assert.match(complaint({ ...view, parameters: { ...parameters, replicas: 0 } }), /at parameters\.replicas/);
    assert.match(complaint({ ...view, parameters: { ...parameters, leaseMs: 0 } }), /at parameters\.leaseMs/);
    for (const other of [null, 7, "[]", []]) complaint(other);
  });

  it("refuses the record of another program, which may mean something else", () => {
    assert.match(complaint({ ...view, format: 3 }), /at format/);
    assert.match(complaint({ ...view, format: 1 }), /at format/);
    assert.match(complaint({ ...view, parameters: { ...parameters, ringVersion: 2 } }), /at parameters\.ringVersion/);
  });

  it("keeps the fields that a later program of the same format has added, through its own changes", () => {
    const newer = { ...view, settled: false, mood: "calm", members: [{ ...a, rack: "r1" }] };
    const nothing = { lost: [], forgotten: [] };
    const kept = settledView(parseView(Buffer.from(JSON.stringify(newer))), nothing, "p2") as unknown as typeof newer;
    assert.deepEqual([kept.mood, kept.members], [newer.mood, newer.members]);
    const again = parseView(formatView(joinedView(parseView(Buffer.from(JSON.stringify(newer))), b, "p3")));
    assert.deepEqual(again.lineage.at(-1)?.members, newer.members);
  });

  it("keeps what an operator has given up, and what is lost", () => {
    const past = { ...pastOf(settled), members: [{ ...a, forgotten: true }, c] };
    const told = { ...view, lineage: [past], lost: [past] };
    assert.deepEqual(parseView(formatView(told)), told);
    assert.match(complaint({ ...view, lost: [{ ...past, members: [{ ...a, forgotten: "yes" }] }] }), /at lost\[0\]/);
    assert.match(complaint({ ...view, lost: undefined }), /at lost/);
  });

  it("refuses members of which no ring can be made", () => {
    for (const weight of [-1, 17, 1e9]) {
      assert.match(complaint({ ...view, members: [{ ...a, weight }] }), /at members\[0\]\.weight/);
    }
    assert.match(complaint({ ...view, members: [a, { ...a, incarnation: "a-2" }] }), /at members/);
  });

  it("refuses past members of which no ring can be made", () => {
    const past = { ...pastOf(settled), members: [a, { ...a, incarnation: "a-2" }] };
    assert.match(complaint({ ...view, lineage: [past] }), /at lineage\[0\]\.members/);
  });

  it("refuses a cluster id with a dot", () => {
    const clusterId = "photos.example";
    assert.match(complaint({ ...view, parameters: { ...parameters, clusterId } }), /at parameters\.clusterId/);
  });
});
