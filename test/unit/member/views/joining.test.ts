/**
 * How a process gets into the view: at once where its id is listed, else when it reaches everyone who is there (V22,
 * V23, V24).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Complaints } from "../../../../src/base/complaints.ts";
import { OperatingError } from "../../../../src/base/errors.ts";
import { Admission } from "../../../../src/core/admission.ts";
import { Membership } from "../../../../src/core/membership.ts";
import { formatView, type View, type ViewMember } from "../../../../src/core/view.ts";
import { joinedView, leftView } from "../../../../src/core/view-changes.ts";
import { WriteBuffer } from "../../../../src/core/write-buffer.ts";
import { Joining } from "../../../../src/member/views/joining.ts";
import { ViewRecord } from "../../../../src/member/views/view-record.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { ScriptedNetwork, turn } from "../../../harness/scripted-network.ts";
import { SimRandom } from "../../../harness/sim-random.ts";
import { handedOff, memberOf, parameters, pastOf, viewOf } from "../../../harness/view-fixtures.ts";
import { ViewStore } from "../../../harness/view-store.ts";

const [a, b, c, d] = [memberOf("a"), memberOf("b"), memberOf("c"), memberOf("d")];
const settledOf = (...members: ViewMember[]): View => ({ ...viewOf(4, members), settled: true });

interface Trial {
  readonly store: ViewStore;
  readonly network: ScriptedNetwork;
  readonly membership: Membership;
  readonly buffer: WriteBuffer;
  readonly log: RecordedLog;
  readonly abort: AbortController;
  /** The members of the views that it wants to reach. */
  readonly seen: string[];
  /** The view that it has joined, once it has, or why it gave up. */
  joined: View | Error | undefined;
  /** Lets `ms` pass, in steps in which it looks at the view. */
  readonly pass: (ms: number) => Promise<void>;
}

/** The process `self`, which begins to join. */
function trialOf(
  self: ViewMember,
  view?: View,
  cluster?: string,
  named: readonly string[] = [],
  adopted: readonly number[] = [],
  storeName?: string,
): Trial {
  const clock = new ManualClock();
  const store = new ViewStore(view);
  const network = new ScriptedNetwork();
  const log = new RecordedLog();
  const random = new SimRandom(1);
  const membership = new Membership(self, clock, adopted, cluster);
  const abort = new AbortController();
  const seen: string[] = [];
  const { replicas, leaseMs, flushDeadlineMs } = parameters;
  const settings = { replicas, leaseMs, flushDeadlineMs, storeName };
  const buffer = new WriteBuffer(new Admission({ dirtyBytes: 1e9, refusedBytes: 1e9, waitMs: 500 }, clock), {
    append: () => undefined,
  });
  const record = new ViewRecord({ store, clock, random, complaints: new Complaints(log, clock, 10_000) });
  const context = { membership, buffer, network, clock, random, log, settings };
  const configured = { named: named.map((id) => ({ id, url: `http://${id}:7070` })) };
  const onSeen = (each: View): unknown => seen.push(each.members.map(({ id }) => id).join());
  const joining = new Joining(context, record, self, configured, onSeen);
  const turns = async (): Promise<void> => {
    for (let each = 0; each < 6; each++) await turn();
  };
  const trial: Trial = {
    store,
    network,
    membership,
    buffer,
    log,
    abort,
    seen,
    joined: undefined,
    pass: async (ms) => {
      await turns();
      for (let passed = 0; passed < ms; passed += 100) {
        clock.advance(100);
        await turns();
      }
    },
  };
  joining.join(abort.signal).then(
    (joined) => {
      trial.joined = joined;
    },
    (error: Error) => {
      trial.joined = error;
    },
  );
  return trial;
}

const idsOf = ({ joined }: Trial): string | undefined =>
  joined && !(joined instanceof Error) ? joined.members.map(({ id }) => id).join() : undefined;

describe("Joining, who is new", () => {
  it("founds the cluster where there is none, under an id that is drawn", async () => {
    const [one, other] = [trialOf(a), trialOf(b)];
    await one.pass(0);
    await other.pass(0);
    assert.equal(idsOf(one), "a");
    assert.deepEqual(one.store.view, one.joined);
    assert.match(one.store.view?.parameters.clusterId ?? "", /^[0-9a-f]{16}$/);
  });

  it("founds none where another was quicker, but joins that", async () => {
    const trial = trialOf(b);
    trial.network.link(a);
    const write = trial.store.write.bind(trial.store);
    trial.store.write = (name, content, condition) => {
      trial.store.view = settledOf(a);
      trial.store.write = write;
      return write(name, content, condition);
    };
    await trial.pass(300);
    assert.deepEqual([idsOf(trial), trial.store.view?.epoch], ["a,b", 5]);
  });

  it("joins a settled view once it has a link to each member's present process", async () => {
    const trial = trialOf(c, settledOf(a, b));
    trial.network.link(a, { ...b, incarnation: "b-0" });
    await trial.pass(1_000);
    assert.deepEqual([trial.joined, trial.store.writes, trial.seen[0]], [undefined, 0, "a,b"]);
    trial.network.link(b);
    await trial.pass(200);
    assert.equal(idsOf(trial), "a,b,c");
  });

  it("does not wait for those that a member says are silent: then they are down, and not its own links", async () => {
    const trial = trialOf(d, settledOf(a, b, c));
    trial.network.link(a);
    trial.membership.hear(a, handedOff(4, { suspects: ["b"] }));
    await trial.pass(500);
    assert.equal(trial.joined, undefined, "c is not silent to a");
    trial.membership.hear(a, handedOff(4, { suspects: ["b", "c"] }));
    await trial.pass(200);
    assert.equal(idsOf(trial), "a,b,c,d");
  });

  it("does not take the word of a member that it does not reach, or that has another view", async () => {
    const suspects = ["b", "c"];
    const old = trialOf(d, settledOf(a, b, c));
    old.network.link(a);
    old.membership.hear(a, handedOff(3, { suspects }));
    const unlinked = trialOf(d, settledOf(a, b, c));
    unlinked.membership.hear(a, handedOff(4, { suspects }));
    for (const trial of [old, unlinked]) {
      await trial.pass(500);
      assert.equal(trial.joined, undefined);
    }
  });

  it("does not join with a copy of a data folder that another member has, until that is known to be down", async () => {
    const copy = memberOf("d", { folder: a.folder });
    const trial = trialOf(copy, settledOf(a, b));
    trial.network.link(a, b);
    trial.membership.hear(b, handedOff(4));
    await trial.pass(6_000);
    assert.deepEqual([trial.joined, trial.store.writes], [undefined, 0]);
    const reason = String(trial.log.lines.find(({ fields }) => fields?.["reason"])?.fields?.["reason"]);
    assert.match(reason, /the data folder of a.*copy/);
    // It was renamed, and not copied.
    trial.network.disconnect("a");
    trial.membership.hear(b, handedOff(4, { suspects: ["a"] }));
    await trial.pass(200);
    assert.equal(idsOf(trial), "a,b,d");
  });

  it("does not take a listed entry over with a copy of another member's data folder", async () => {
    const copy = memberOf("b", { incarnation: "b-2", folder: a.folder });
    const trial = trialOf(copy, settledOf(a, b));
    await trial.pass(1_000);
    assert.deepEqual([trial.joined, trial.store.writes], [undefined, 0]);
  });

  it("waits for an unsettled view to settle, though not for ever", async () => {
    const trial = trialOf(b, viewOf(4, [a]));
    trial.network.link(a);
    await trial.pass(5_000);
    assert.equal(trial.joined, undefined);
    trial.store.view = settledOf(a);
    await trial.pass(200);
    assert.equal(idsOf(trial), "a,b");

    const patient = trialOf(b, viewOf(4, [a]));
    patient.network.link(a);
    await patient.pass(29_800);
    assert.equal(patient.joined, undefined);
    await patient.pass(400);
    assert.equal(idsOf(patient), "a,b");
  });

  it("enters an empty view at once, with the cluster's own parameters", async () => {
    const trial = trialOf(b, leftView(settledOf(a), "a", "p"));
    await trial.pass(0);
    assert.deepEqual([idsOf(trial), trial.store.view?.parameters], ["b", parameters]);
  });

  it("needs no link to members that own nothing, where nobody owns anything: it will be the only voter", async () => {
    const idle = viewOf(4, [{ ...a, weight: 0 }]);
    const trial = trialOf(b, idle);
    await trial.pass(0);
    assert.equal(idsOf(trial), "a,b", "nor does it wait for that view to settle: nobody has owned anything");
    const left = trialOf(b, { ...idle, lineage: [pastOf(viewOf(3, [a]))] });
    await left.pass(29_800);
    assert.equal(left.joined, undefined, "a may have owned something");
    await left.pass(400);
    assert.equal(idsOf(left), "a,b");
    const owned = trialOf(c, viewOf(4, [{ ...a, weight: 0 }, b]));
    owned.network.link(b);
    await owned.pass(40_000);
    assert.equal(owned.joined, undefined, "b owns keys");
  });

  it("says why it waits, now and then", async () => {
    const trial = trialOf(b, settledOf(a));
    await trial.pass(11_000);
    const lines = trial.log.lines.filter(({ message }) => message === "waiting to join the cluster");
    assert.equal(lines.length, 2);
    assert.match(String(lines[0]?.fields?.["reason"]), /no link to a \(http:\/\/a:7070\)/);
  });

  it("waits while its data folder holds values of another cluster than the store's, and says so", async () => {
    const trial = trialOf(a, undefined, "another");
    trial.buffer.open("k", 0);
    await trial.pass(11_000);
    assert.deepEqual([trial.joined, trial.store.writes], [undefined, 0]);
    const lines = trial.log.lines.filter(({ message }) => message.includes("values of another cluster than the store"));
    assert.equal(lines.length, 3);
    for (const record of Array.from(trial.buffer.records())) trial.buffer.remove(record);
    await trial.pass(5_000);
    assert.deepEqual([trial.joined, trial.store.writes], [undefined, 0], "an orderly stop leaves an empty folder");
    const { message, fields } = trial.log.lines.at(-1) ?? {};
    assert.match(String(message), /has been in a cluster, and the store has none.*put that object back/);
    assert.deepEqual(fields, { dataFolder: "another", store: "no cluster yet", others: [] });
  });

  it("goes on waiting while the record is put back and is there in part, and ends with such a record when it starts", async () => {
    const whole = formatView(settledOf(memberOf("a", { incarnation: "a-0" }), b));
    const half = whole.subarray(0, whole.length / 2);
    const waits = trialOf(a, undefined, parameters.clusterId, [], [4]);
    await waits.pass(1_000);
    waits.store.bytes = half;
    await waits.pass(1_000);
    assert.equal(waits.joined, undefined);
    assert.ok(waits.log.lines.some(({ message }) => message.includes("the view cannot be read from the store")));
    waits.store.bytes = whole;
    await waits.pass(1_000);
    assert.equal(idsOf(waits), "a,b");
    const starts = trialOf(a);
    starts.store.bytes = half;
    await starts.pass(1_000);
    assert.ok(starts.joined instanceof Error);
    assert.match(starts.joined.message, /is not JSON/);
  });

  it("waits with an empty data folder, too, that has been in another cluster than the store's (V25)", async () => {
    const trial = trialOf(a, settledOf(a, b), "another");
    await trial.pass(1_000);
    assert.deepEqual([trial.joined, trial.store.writes], [undefined, 0]);
    assert.match(String(trial.log.lines[0]?.message), /has been in another cluster than the store's/);
    const own = trialOf(memberOf("a", { incarnation: "a-2" }), settledOf(a, b), parameters.clusterId, [], [4]);
    await own.pass(0);
    assert.equal(idsOf(own), "a,b");
  });

  it("waits with a data folder from a snapshot, which lacks a view that its node has settled (V61)", async () => {
    const again = memberOf("a", { incarnation: "a-2" });
    for (const [view, adopted, joins] of [
      [settledOf(a, b), [3], false],
      [settledOf(a, b), [3, 4], true],
      [viewOf(5, [a, b], [pastOf(viewOf(4, [a, b]))]), [3], false],
      [viewOf(5, [a, b], [pastOf(viewOf(4, [b]))]), [3], true],
      [viewOf(2, [a, b], [pastOf(viewOf(1, [a]))]), [], true],
    ] as const) {
      const trial = trialOf(again, view, parameters.clusterId, [], adopted);
      await trial.pass(200);
      assert.equal(idsOf(trial), joins ? "a,b" : undefined);
      if (!joins) assert.match(String(trial.log.lines[0]?.message), /an earlier state of itself/);
    }
  });

  it("waits over a store whose cluster is not that of a node that it reaches: it does not know its own yet (V63)", async () => {
    const trial = trialOf(b, settledOf(a), undefined, ["a", "b", "c"]);
    trial.network.link(a);
    trial.network.link(c);
    trial.membership.hear(a, handedOff(4));
    trial.membership.hear(c, handedOff(2, { cluster: "another" }));
    await trial.pass(6_000);
    assert.deepEqual([trial.joined, trial.store.writes], [undefined, 0]);
    assert.match(String(trial.log.lines[0]?.message), /not the one that other nodes of this configuration are in/);
    // A node that is in none, or has no link, says nothing.
    trial.membership.hear(c, handedOff(3, { cluster: "" }));
    await trial.pass(200);
    assert.equal(idsOf(trial), "a,b");
  });

  it("waits over a copy of its cluster's store, by the store's name, unless everybody has left it (V63)", async () => {
    const over = (view: View, name?: string): Trial => trialOf(again, view, parameters.clusterId, [], [4], name);
    const again = memberOf("a", { incarnation: "a-2" });
    const named = { ...settledOf(a, b), parameters: { ...parameters, store: "s3://first/" } };
    const copy = over(named, "s3://second/");
    await copy.pass(1_000);
    assert.deepEqual([copy.joined, copy.store.writes], [undefined, 0]);
    assert.match(String(copy.log.lines[0]?.message), /over s3:\/\/first\/, and is s3:\/\/second\/: a copy.*\.weir\//);
    const cases: [View, string | undefined, string | undefined][] = [
      [named, "s3://first/", "s3://first/"],
      [named, undefined, "s3://first/"],
      [settledOf(a, b), "s3://second/", undefined],
      [{ ...named, members: [] }, "s3://second/", "s3://second/"],
      [{ ...named, members: [], lost: [pastOf(viewOf(3, [c]))] }, "s3://second/", "s3://second/"],
    ];
    for (const [view, name, becomes] of cases) {
      const trial = over(view, name);
      await trial.pass(200);
      assert.equal(trial.store.view?.parameters.store, becomes);
      assert.ok(idsOf(trial)?.startsWith("a"));
    }
    const founder = trialOf(a, undefined, undefined, [], [], "s3://first/");
    await founder.pass(0);
    assert.equal(founder.store.view?.parameters.store, "s3://first/");
  });

  it("waits once a peer knows more of its data folder than it does (V62)", async () => {
    const trial = trialOf(b, settledOf(a));
    trial.membership.markBroughtBack();
    trial.network.link(a);
    trial.membership.hear(a, handedOff(4));
    await trial.pass(1_000);
    assert.deepEqual([trial.joined, trial.store.writes], [undefined, 0]);
    assert.match(String(trial.log.lines[0]?.message), /an earlier state of itself.*an empty data folder/);
  });

  it("founds no cluster while a peer with a link is in one, and says so (V54)", async () => {
    const trial = trialOf(a, undefined, undefined, ["a", "b", "c"]);
    trial.network.link(b);
    trial.membership.hear(b, handedOff(3));
    await trial.pass(6_000);
    assert.deepEqual([trial.joined, trial.store.writes], [undefined, 0]);
    const { message, fields } = trial.log.lines[0] ?? {};
    assert.match(String(message), /the store has no cluster, and other nodes are in one/);
    assert.deepEqual(fields, { dataFolder: "no cluster yet", store: "no cluster yet", others: ["b"] });
    // The view is put back.
    trial.store.view = settledOf(a, b);
    await trial.pass(200);
    assert.equal(idsOf(trial), "a,b");
  });

  it("founds a cluster beside nodes that are in none: at once when all have said so, else after a while", async () => {
    const trial = trialOf(a, undefined, undefined, ["a", "b"]);
    trial.network.link(b);
    await trial.pass(200);
    assert.equal(trial.joined, undefined, "b has not said yet in which view it is");
    trial.membership.hear(b, handedOff(0));
    await trial.pass(200);
    assert.equal(idsOf(trial), "a");
    const alone = trialOf(a, undefined, undefined, ["a", "b"]);
    await alone.pass(1_800);
    assert.equal(alone.joined, undefined);
    await alone.pass(400);
    assert.equal(idsOf(alone), "a");
    // What a process says that has no link any more does not count.
    const gone = trialOf(a, undefined, undefined, ["a", "b"]);
    gone.membership.hear(b, handedOff(3));
    gone.network.link({ ...b, incarnation: "b-2" });
    gone.membership.hear({ ...b, incarnation: "b-2" }, handedOff(0));
    await gone.pass(200);
    assert.equal(idsOf(gone), "a");
  });

  it("gives up with the signal, and for its reason", async () => {
    const trial = trialOf(b, settledOf(a));
    await trial.pass(100);
    const reason = new OperatingError("shutting_down", "enough");
    trial.abort.abort(reason);
    await trial.pass(0);
    assert.equal(trial.joined, reason);
  });
});

describe("Joining, who is listed", () => {
  const again = memberOf("a", { incarnation: "a-2" });
  const renewed = memberOf("a", { incarnation: "a-2", folder: "new disk" });

  it("takes its entry over at once, with no link and in an unsettled view: else nobody starts after a power loss of all", async () => {
    const trial = trialOf(again, viewOf(4, [a, b, c]));
    await trial.pass(0);
    assert.equal(idsOf(trial), "a,b,c");
    assert.deepEqual([trial.store.view?.members[0], trial.store.view?.dropped], [again, false]);
  });

  it("at another address and without a cluster of its own, first hears in which one its nodes are (V63)", async () => {
    const moved = memberOf("a", { incarnation: "a-2", url: "http://elsewhere" });
    const trial = trialOf(moved, settledOf(a, b), undefined, ["a", "b"]);
    await trial.pass(200);
    assert.equal(trial.joined, undefined);
    trial.network.link(b);
    trial.membership.hear(b, handedOff(4));
    await trial.pass(200);
    assert.equal(idsOf(trial), "a,b");
    const alone = trialOf(moved, settledOf(a, b), undefined, ["a", "b"]);
    await alone.pass(2_200);
    assert.equal(idsOf(alone), "a,b", "it does not wait for ever");
    const known = trialOf(moved, settledOf(a, b), parameters.clusterId, ["a", "b"], [4]);
    await known.pass(0);
    assert.equal(idsOf(known), "a,b", "its folder knows its cluster");
  });

  it("with another folder drops the old one, if half of the folders are kept", async () => {
    const trial = trialOf(renewed, settledOf(a, b));
    await trial.pass(0);
    assert.deepEqual([idsOf(trial), trial.store.view?.dropped], ["a,b", true]);
  });

  it("with another folder waits while too few folders would be left, and says what to do", async () => {
    const trial = trialOf(renewed, settledOf(a));
    await trial.pass(6_000);
    assert.deepEqual([trial.joined, trial.store.writes], [undefined, 0]);
    const reason = String(trial.log.lines.find(({ fields }) => fields?.["reason"])?.fields?.["reason"]);
    assert.match(reason, /another data folder than before.*weir forget/);
  });

  it("is in already if its own swap was done and taken for lost", async () => {
    const trial = trialOf(c, settledOf(a, b));
    trial.network.link(a, b);
    trial.store.writeEndings.push("not_done");
    await trial.pass(0);
    trial.store.view = joinedView(settledOf(a, b), c, "late");
    await trial.pass(200);
    const { joined } = trial;
    assert.equal(joined instanceof Error ? joined : joined?.proposal, "late");
  });

  it("waits when the view has changed very often without settling, for a while", async () => {
    const long = {
      ...viewOf(40, [a, b]),
      lineage: Array.from({ length: 21 }, (_, index) => pastOf(viewOf(index + 1, [a, b]))),
    };
    const trial = trialOf(again, long);
    await trial.pass(29_800);
    assert.equal(trial.joined, undefined);
    await trial.pass(400);
    assert.equal(idsOf(trial), "a,b");
    const shorter = trialOf(again, { ...long, lineage: long.lineage.slice(1) });
    await shorter.pass(0);
    assert.equal(idsOf(shorter), "a,b");
  });
});
