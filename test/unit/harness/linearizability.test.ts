/**
 * The checker is what every simulated run is judged by, so it is itself checked: against known histories and against a
 * naive checker.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { History, type RegisterAction, type RegisterOperation, type RegisterOutcome } from "../../harness/history.ts";
import { checkRegister, effectsOf, holds } from "../../harness/linearizability.ts";
import { SimRandom } from "../../harness/sim-random.ts";

const get: RegisterAction = { kind: "get" };
const remove: RegisterAction = { kind: "delete" };
const put = (value: string): RegisterAction => ({ kind: "put", value });
const create = (value: string): RegisterAction => ({ kind: "put", value, condition: { noneMatch: ["*"] } });
const swap = (from: string, value: string): RegisterAction => ({ kind: "put", value, condition: { match: [from] } });
const drop = (...values: (string | undefined)[]): RegisterAction => ({ kind: "drop", values });

const written: RegisterOutcome = { kind: "written" };
const missing: RegisterOutcome = { kind: "missing" };
const failed: RegisterOutcome = { kind: "condition_failed" };
const value = (name: string): RegisterOutcome => ({ kind: "value", value: name });
const unknown: RegisterOutcome = { kind: "unknown" };

/** A history of rows `[call, answer, action, outcome]`. */
function rows(...table: [number, number, RegisterAction, RegisterOutcome][]): RegisterOperation[] {
  return table
    .map(([calledAt, answeredAt, action, outcome], index) => ({
      label: `#${index}`,
      action,
      outcome,
      calledAt,
      answeredAt: outcome.kind === "unknown" ? Number.POSITIVE_INFINITY : answeredAt,
    }))
    .toSorted((a, b) => a.calledAt - b.calledAt);
}

function accepts(operations: RegisterOperation[], initial?: string): void {
  assert.deepEqual(checkRegister(operations, initial), { kind: "linearizable" });
}

/** The verdict blames the operation called at `calledAt`. */
function blames(calledAt: number, operations: RegisterOperation[], initial?: string): void {
  const verdict = checkRegister(operations, initial);
  assert.equal(verdict.kind === "violation" ? verdict.operation.calledAt : verdict.kind, calledAt);
}

describe("the linearizability checker", () => {
  it("accepts no operations at all", () => accepts([]));

  it("accepts writes and reads one after the other", () => {
    accepts(
      rows(
        [0, 1, get, missing],
        [2, 3, put("a"), written],
        [4, 5, get, value("a")],
        [6, 7, remove, written],
        [8, 9, get, missing],
      ),
    );
  });

  it("lets a drop leave behind each of the values that it may, and no other", () => {
    const dropped = (outcome: RegisterOutcome): RegisterOperation[] =>
      rows(
        [0, 1, put("a"), written],
        [2, 3, put("b"), written],
        [4, 5, drop("a", undefined), written],
        [6, 7, get, outcome],
      );
    accepts(dropped(value("a")));
    accepts(dropped(missing));
    blames(6, dropped(value("b")));
    // What it has left behind stays, whatever else it might have been.
    blames(8, [...dropped(missing), ...rows([8, 9, get, value("a")])]);
  });

  it("lets a drop of unknown outcome take effect at any later time, with its second value as well, or never", () => {
    const later = (outcome: RegisterOutcome): RegisterOperation[] =>
      rows([0, 1, put("a"), written], [2, 0, drop("x", "y"), unknown], [4, 5, put("b"), written], [6, 7, get, outcome]);
    accepts(later(value("y")));
    accepts(later(value("b")));
    blames(6, later(missing));
  });

  it("accepts either order of two writes that overlap, but not both", () => {
    const writes: [number, number, RegisterAction, RegisterOutcome][] = [
      [0, 3, put("a"), written],
      [1, 2, put("b"), written],
    ];
    accepts(rows(...writes, [4, 5, get, value("a")]));
    accepts(rows(...writes, [4, 5, get, value("b")]));
    blames(6, rows(...writes, [4, 5, get, value("a")], [6, 7, get, value("b")]));
  });

  it("blames a stale read", () => {
    blames(4, rows([0, 1, put("a"), written], [2, 3, put("b"), written], [4, 5, get, value("a")]));
  });

  it("blames a read that goes back behind one that ended before it, while the write is still open", () => {
    blames(4, rows([0, 9, put("b"), written], [2, 3, get, value("b")], [4, 5, get, value("a")]), "a");
  });

  it("blames the read that finds an acknowledged write lost", () => {
    blames(2, rows([0, 1, put("a"), written], [2, 3, get, missing]));
  });

  it("blames a read of a value that was never written", () => {
    blames(2, rows([0, 1, put("a"), written], [2, 3, get, value("ghost")]));
  });

  it("blames a read of a value that is only written later", () => {
    blames(0, rows([0, 1, get, value("a")], [2, 3, put("a"), written]));
  });

  it("blames writes seen in another order by two readers", () => {
    const operations = rows(
      [0, 20, put("a"), written],
      [1, 19, put("b"), written],
      [2, 3, get, value("a")],
      [4, 5, get, value("b")],
      [6, 7, get, value("a")],
    );
    blames(6, operations);
  });

  it("blames a value that comes back after its deletion", () => {
    blames(6, rows([0, 1, put("a"), written], [2, 3, remove, written], [4, 5, get, missing], [6, 7, get, value("a")]));
  });

  it("accepts a write of unknown outcome that takes effect late", () => {
    accepts(
      rows([0, 0, put("a"), unknown], [1, 2, put("b"), written], [3, 4, get, value("b")], [5, 6, get, value("a")]),
    );
  });

  it("accepts a write of unknown outcome that never takes effect", () => {
    accepts(rows([0, 0, put("a"), unknown], [1, 2, get, missing], [3, 4, get, missing]));
  });

  it("blames a write of unknown outcome that takes effect twice", () => {
    const operations = rows(
      [0, 0, put("a"), unknown],
      [1, 2, get, value("a")],
      [3, 4, put("b"), written],
      [5, 6, get, value("a")],
    );
    blames(5, operations);
  });

  it("accepts a deletion of unknown outcome that takes effect late, once", () => {
    const start: [number, number, RegisterAction, RegisterOutcome][] = [
      [0, 0, remove, unknown],
      [1, 2, put("a"), written],
      [3, 4, get, value("a")],
      [5, 6, get, missing],
    ];
    accepts(rows(...start));
    blames(9, rows(...start, [7, 8, put("b"), written], [9, 10, get, missing]));
  });

  it("lets one of several creations at once win", () => {
    accepts(
      rows(
        [0, 5, create("a"), written],
        [1, 6, create("b"), failed],
        [2, 7, create("c"), failed],
        [8, 9, get, value("a")],
      ),
    );
    blames(1, rows([0, 5, create("a"), written], [1, 6, create("b"), written]));
  });

  it("blames a creation that failed although there was nothing", () => {
    blames(2, rows([0, 1, remove, written], [2, 3, create("a"), failed]), "old");
  });

  it("judges a conditional write by the state it replaces", () => {
    accepts(rows([0, 1, swap("a", "b"), written], [2, 3, swap("a", "c"), failed], [4, 5, get, value("b")]), "a");
    blames(2, rows([0, 1, put("b"), written], [2, 3, swap("a", "c"), written]), "a");
  });

  it("explains a failed condition by a write of unknown outcome that nobody read", () => {
    accepts(rows([0, 0, put("x"), unknown], [1, 2, create("a"), failed]));
  });

  it("agrees with a naive checker on random small histories", () => {
    const seed = 20_260_727;
    const random = new SimRandom(seed);
    let violations = 0;
    for (let round = 0; round < 6_000; round++) {
      const operations = randomHistory(random);
      const naive = naivelyExplained(operations, undefined);
      const verdict = checkRegister(operations);
      assert.equal(
        verdict.kind === "linearizable",
        naive,
        `seed ${seed}, round ${round}: ${JSON.stringify(operations)}`,
      );
      if (!naive) violations++;
    }
    assert.ok(violations > 1_000 && violations < 5_000, `${violations} violations: the histories test both verdicts`);
  });

  it("accepts hundreds of operations of a real register by ten clients, some of them unanswered, in little time", () => {
    const seed = 7;
    const random = new SimRandom(seed);
    const started = performance.now();
    for (let round = 0; round < 20; round++) {
      const operations = registerHistory(random, 400, 10, 0.1);
      assert.equal(checkRegister(operations).kind, "linearizable", `seed ${seed}, round ${round}`);
    }
    const elapsedMs = performance.now() - started;
    assert.ok(elapsedMs < 4_000, `20 histories took ${elapsedMs.toFixed(0)} ms`);
  });

  it("says so when it would take too long to find out", () => {
    const names = [...Array(12).keys()].map(String);
    const table = names.flatMap((name, index): [number, number, RegisterAction, RegisterOutcome][] => [
      [index, 0, put(name), unknown],
      [100 + 2 * index, 101 + 2 * index, swap(name, `${name}+`), failed],
    ]);
    const operations = rows(...table, [200, 201, put("last"), written], [202, 203, get, value("ghost")]);
    assert.deepEqual(checkRegister(operations, undefined, 100), { kind: "tangled" });
    blames(202, operations);
  });

  it("finds one stale read among hundreds of operations", () => {
    const seed = 11;
    const random = new SimRandom(seed);
    for (let round = 0; round < 10; round++) {
      const operations = registerHistory(random, 300, 6, 0.05);
      const reads = operations.filter((each) => each.outcome.kind === "value");
      const victim = reads[reads.length >> 1] as RegisterOperation;
      const older = operations.find((each) => each.action.kind === "put" && each.outcome.kind === "written");
      assert.ok(older?.action.kind === "put");
      const spoiled = { ...victim, outcome: value(older.action.value) };
      const verdict = checkRegister(operations.map((each) => (each === victim ? spoiled : each)));
      assert.equal(verdict.kind, "violation", `seed ${seed}, round ${round}`);
    }
  });
});

/** Few operations with any answers at all, so that about half of the histories are violations. */
function randomHistory(random: SimRandom): RegisterOperation[] {
  const count = random.whole(2, 5);
  const positions = random.shuffle([...Array(count * 2).keys()]);
  return rows(
    ...Array.from({ length: count }, (_, i): [number, number, RegisterAction, RegisterOutcome] => {
      const a = positions[2 * i] as number;
      const b = positions[2 * i + 1] as number;
      const names = ["a", "b"];
      const action = random.pick<RegisterAction>([
        get,
        get,
        put(random.pick(names)),
        remove,
        create(random.pick(names)),
        swap(random.pick(names), random.pick(names)),
      ]);
      const outcomes: RegisterOutcome[] =
        action.kind === "get"
          ? [missing, value("a"), value("b")]
          : "condition" in action
            ? [written, failed, unknown]
            : [written, written, unknown];
      return [Math.min(a, b), Math.max(a, b), action, random.pick(outcomes)];
    }),
  );
}

/** Tries every order. */
function naivelyExplained(operations: readonly RegisterOperation[], state: string | undefined): boolean {
  if (operations.every((each) => each.outcome.kind === "unknown")) return true;
  for (const each of operations) {
    if (operations.some((other) => other.answeredAt < each.calledAt)) continue;
    const rest = operations.filter((other) => other !== each);
    const { action, outcome } = each;
    if (action.kind === "get") {
      const seen = outcome.kind === "value" ? outcome.value : undefined;
      if (seen === state && naivelyExplained(rest, state)) return true;
    } else if (outcome.kind === "condition_failed") {
      if (!holds(action.condition, state) && naivelyExplained(rest, state)) return true;
    } else {
      const isTaken =
        holds(action.condition, state) && effectsOf(action).some((after) => naivelyExplained(rest, after));
      if (isTaken) return true;
      if (outcome.kind === "unknown" && naivelyExplained(rest, state)) return true;
    }
  }
  return false;
}

/**
 * What `clients` would see of a true register: each operation takes effect at a random instant between call and answer.
 */
function registerHistory(
  random: SimRandom,
  count: number,
  clients: number,
  unansweredShare: number,
): RegisterOperation[] {
  const history = new History();
  let state: string | undefined;
  const busy = Array.from({ length: clients }, () => ({
    step: 0,
    action: get,
    call: { key: "", index: 0 },
    outcome: unknown,
  }));
  for (let called = 0; called < count || busy.some((each) => each.step > 0); ) {
    const client = random.pick(busy);
    if (client.step === 0) {
      if (called >= count) continue;
      const name = `v${called}`;
      client.action = random.pick<RegisterAction>([
        get,
        get,
        put(name),
        put(name),
        remove,
        create(name),
        swap(state ?? "none", name),
        drop(state, random.chance(0.5) ? undefined : `v${random.whole(0, called)}`),
      ]);
      client.call = history.call("k", `#${called++}`, client.action);
      client.step = 1;
    } else if (client.step === 1) {
      const { action } = client;
      if (action.kind === "get") client.outcome = state === undefined ? missing : value(state);
      else if (!holds(action.condition, state)) client.outcome = failed;
      else {
        state = random.pick(effectsOf(action));
        client.outcome = written;
      }
      client.step = 2;
    } else {
      history.answer(client.call, random.chance(unansweredShare) ? unknown : client.outcome);
      client.step = 0;
    }
  }
  return history.operations("k");
}
