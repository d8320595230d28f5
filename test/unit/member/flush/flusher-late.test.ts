/**
 * What the flusher holds back while a request without an answer may still take effect (F24).
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OperatingError } from "../../../../src/base/errors.ts";
import { type Entry, noHeaders, noRequest } from "../../../../src/core/entry.ts";
import { formatVersion } from "../../../../src/core/version.ts";
import type { BlobInfo, WriteCondition } from "../../../../src/store/blob-store.ts";
import { commit, commitInherited, roomyBuffer, settingsOf } from "../../../harness/key-fixtures.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { turn } from "../../../harness/scripted-network.ts";
import { backoffMs, trialFlusher } from "../../../harness/trial-flusher.ts";
import { flushDeadlineMs, memberOf, servingMember, viewOf } from "../../../harness/view-fixtures.ts";

const a = memberOf("a");
const { lateEffectMs } = settingsOf();

/** An object that somebody else has written. */
function objectOf(tag: string): BlobInfo {
  return { tag, size: 1, headers: noHeaders, version: undefined, modifiedMs: 7, upload: undefined };
}

/** A flusher, and a store of one object: `answers` says whether a change is answered; it takes effect if it lands. */
function trialOf({ removesAreConditional = true, tagOf = (text: string) => text } = {}) {
  const clock = new ManualClock();
  const membership = servingMember(viewOf(4, [a]), a, clock);
  const buffer = roomyBuffer(clock);
  const { clusterId } = membership.view.parameters;
  const infoOf = (tag: string, seq: number): BlobInfo => {
    const version = formatVersion(clusterId, "k", { epoch: 4, seq });
    return { tag, size: 1, headers: noHeaders, version, modifiedMs: 7, upload: undefined };
  };
  const state = { object: undefined as BlobInfo | undefined, answers: true, neverSent: false, asked: [] as string[] };
  const holds = (condition: WriteCondition): boolean =>
    condition.kind === "always" || (condition.kind === "unchanged" ? condition.tag : undefined) === state.object?.tag;
  const change = (what: string, condition: WriteCondition, effect: () => BlobInfo | undefined) => {
    state.asked.push(`${what} if ${condition.kind === "unchanged" ? condition.tag : condition.kind}`);
    const { answers, neverSent } = state;
    if (!answers) return Promise.reject(new OperatingError("store_unavailable", "no answer", { neverSent }));
    if (!holds(condition)) return Promise.resolve({ kind: "conflict" } as const);
    state.object = effect();
    return Promise.resolve({ kind: "written", tag: state.object?.tag ?? "" } as const);
  };
  const stored: number[] = [];
  let seq = 0;
  const flusher = trialFlusher({
    clock,
    membership,
    buffer,
    store: {
      write: (_key, { body }, condition) => {
        const text = Buffer.from(body).toString();
        return change(`put ${text}`, condition, () => infoOf(tagOf(text), seq));
      },
      remove: (_key, condition) => change("remove", condition, () => undefined),
      stat: () => {
        state.asked.push("look");
        return Promise.resolve(state.object);
      },
    },
    lateEffectMs,
    removesAreConditional,
    observer: {
      stored: (_key, version) => stored.push(version.seq),
      told: (effects) => {
        if (!removesAreConditional) state.asked.push(`tell ${effects.map(({ condition }) => condition.kind).join()}`);
      },
      answered: (version) => state.asked.push(`answered ${version.seq}`),
    },
  });
  /** Writes a value whose MD5 is its text, or removes the key. `inherited`: it came with the key, from whom. */
  const write = (text: string | undefined, inherited?: "from a lost primary" | "in order"): void => {
    const value = text === undefined ? undefined : Buffer.from(text);
    const plain = { epoch: 4, seq: ++seq, key: "k", headers: noHeaders, modifiedMs: 7, requestId: noRequest };
    const entry: Entry = { ...plain, value, md5: text ?? "", size: value?.length ?? 0 };
    const record = inherited ? commitInherited(buffer, entry) : commit(buffer, entry);
    if (inherited === "from a lost primary") flusher.gained(record);
    flusher.queue.schedule(record);
  };
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    membership.lease.confirmByStore(membership.lease.stamp());
    for (let looks = 0; looks < 4; looks++) {
      clock.advance(backoffMs);
      membership.lease.confirmByStore(membership.lease.stamp());
      await turn();
    }
  };
  const asked = (): string[] => state.asked.splice(0);
  return { clock, buffer, flusher, state, stored, write, pass, asked };
}

describe("Flusher, after a create without an answer", () => {
  it("holds back a delete until the create can take effect no more", async () => {
    const { flusher, state, stored, write, pass, asked } = trialOf();
    state.answers = false;
    write("A");
    await pass(0);
    assert.ok(asked().every((each) => each === "put A if absent"));
    state.answers = true;
    write(undefined);
    await pass(flushDeadlineMs);
    await pass(lateEffectMs / 2);
    assert.deepEqual([asked(), stored, flusher.lateKeys], [[], [], 1], "nothing is sent, and nothing is called stored");
    assert.equal(flusher.backlog.oldestSince("waiting"), undefined, "its age is no sign of a slow store");
    // The create takes effect late.
    state.object = objectOf("A");
    await pass(lateEffectMs);
    assert.deepEqual(asked(), ["look", "remove if A"]);
    assert.deepEqual([state.object, stored, flusher.lateKeys], [undefined, [2], 0]);
  });

  it("sends the same version again, and a newer value after F", async () => {
    const { state, stored, write, pass, asked } = trialOf();
    state.answers = false;
    write("A");
    await pass(0);
    state.answers = true;
    await pass(0);
    assert.deepEqual([asked().at(-1), stored], ["put A if absent", [1]]);
    write("B");
    await pass(flushDeadlineMs);
    assert.deepEqual([asked(), stored], [["put B if A"], [1, 2]]);
  });
});

describe("Flusher, after a replacement without an answer", () => {
  it("holds back the content that was replaced: its tag would make the condition true again", async () => {
    const { state, stored, write, pass, asked } = trialOf();
    write("A");
    await pass(0);
    assert.deepEqual([asked(), stored], [["put A if absent"], [1]]);
    state.answers = false;
    write("B");
    await pass(0);
    assert.ok(asked().every((each) => each === "put B if A"));
    state.answers = true;
    write("A");
    await pass(flushDeadlineMs);
    await pass(lateEffectMs / 2);
    assert.deepEqual([asked(), stored], [[], [1]]);
    await pass(lateEffectMs);
    assert.deepEqual([asked(), stored], [["put A if A"], [1, 3]]);
  });
});

describe("Flusher, over a store whose tags are no MD5", () => {
  it("does not call stored a content that came back, before an earlier request can undo it no more", async () => {
    const { flusher, state, stored, write, pass, asked } = trialOf({ tagOf: (text) => `hash of ${text}` });
    write("A");
    await pass(0);
    state.answers = false;
    write("B");
    await pass(0);
    state.answers = true;
    asked();
    write("A");
    await pass(flushDeadlineMs);
    await pass(lateEffectMs / 2);
    assert.deepEqual([asked(), stored, flusher.backlog.heldCount], [["put A if hash of A"], [1], 1]);
    await pass(lateEffectMs);
    assert.deepEqual([asked(), stored], [["put A if hash of A"], [1, 3]]);
  });
});

describe("Flusher, after a delete without an answer", () => {
  it("sends a newer value after F, where the store heeds conditions on removals", async () => {
    const { state, stored, write, pass, asked } = trialOf();
    write("A");
    await pass(0);
    state.answers = false;
    write(undefined);
    await pass(0);
    state.answers = true;
    write("B");
    await pass(flushDeadlineMs);
    assert.deepEqual([asked().at(-1), stored], ["put B if A", [1, 3]]);
  });

  it("holds back a value, which the delete could remove, where the store ignores conditions on removals", async () => {
    const { state, stored, write, pass, asked } = trialOf({ removesAreConditional: false });
    write("A");
    await pass(0);
    state.answers = false;
    write(undefined);
    await pass(0);
    assert.ok(asked().includes("remove if A"));
    state.answers = true;
    write("B");
    await pass(flushDeadlineMs);
    await pass(lateEffectMs / 2);
    assert.deepEqual([asked(), stored], [[], [1]]);
    await pass(lateEffectMs);
    assert.deepEqual([asked(), stored], [["put B if A"], [1, 3]]);
  });
});

describe("Flusher, of a delete by a store that ignores its condition", () => {
  it("tells the other owners before it is sent, and that they may forget it once it is answered", async () => {
    const { state, stored, write, pass, asked } = trialOf({ removesAreConditional: false });
    write("A");
    await pass(0);
    asked();
    write(undefined);
    await pass(0);
    assert.deepEqual(asked(), ["tell any_present", "remove if A", "answered 2"]);
    write("B");
    await pass(0);
    assert.deepEqual([asked(), stored], [["put B if absent"], [1, 2, 3]], "nothing is held back");
    state.object = objectOf("C");
    write(undefined);
    await pass(0);
    const conflict = ["tell any_present", "remove if B", "answered 4", "look"];
    assert.deepEqual(asked(), [...conflict, "tell any_present", "remove if C", "answered 4"]);
  });

  it("does not have it forgotten after an answer that is lost, nor by a later answer", async () => {
    const { flusher, state, write, pass, asked } = trialOf({ removesAreConditional: false });
    write("A");
    await pass(0);
    asked();
    state.answers = false;
    write(undefined);
    await pass(0);
    assert.deepEqual(asked().slice(0, 3), ["tell any_present", "remove if A", "remove if A"]);
    state.answers = true;
    await pass(0);
    assert.deepEqual([asked().includes("answered 2"), flusher.lateKeys], [false, 1]);
  });

  it("has it forgotten when it was not sent, or sent away", async () => {
    const { flusher, state, write, pass, asked } = trialOf({ removesAreConditional: false });
    write("A");
    await pass(0);
    [state.answers, state.neverSent] = [false, true];
    write(undefined);
    await pass(0);
    assert.ok(asked().includes("answered 2"));
    assert.equal(flusher.lateKeys, 0);
  });
});

describe("Flusher, of a key that was gained", () => {
  it("sends a content that is none of those for which a predecessor's last request may wait", async () => {
    const { state, stored, write, pass, asked } = trialOf();
    state.object = objectOf("A");
    write("B", "from a lost primary");
    await pass(0);
    assert.deepEqual([asked(), stored], [["look", "put B if A"], [1]]);
  });

  it("holds back the very content that the first look finds, and a delete", async () => {
    for (const text of ["A", undefined]) {
      const { flusher, state, stored, write, pass, asked } = trialOf();
      state.object = objectOf("A");
      write(text, "from a lost primary");
      await pass(0);
      await pass(lateEffectMs / 2);
      const seen = [asked(), stored, flusher.backlog.heldCount];
      assert.deepEqual(seen, [["look"], [], 1], "a look learns what to wait for");
      await pass(lateEffectMs);
      assert.deepEqual(asked(), [text === undefined ? "remove if A" : "put A if A"]);
      assert.deepEqual(stored, [1]);
    }
  });
});

describe("Flusher, of what came with the key", () => {
  it("says that a request that nobody knows may change the object, so that nothing of it is discarded (D3)", () => {
    const { buffer, flusher } = trialOf();
    const plain = { epoch: 4, seq: 1, key: "k", headers: noHeaders, modifiedMs: 7, requestId: noRequest };
    const record = commitInherited(buffer, { ...plain, value: Buffer.from("A"), md5: "A", size: 1 });
    assert.equal(flusher.mayChange(record), false);
    flusher.gained(record);
    assert.equal(flusher.mayChange(record), true, "nobody knows of the request");
  });

  it("looks before it sends anything: the store may have it, and a second request for it may come late (F28)", async () => {
    const { state, stored, write, pass, asked } = trialOf();
    write("A", "in order");
    await pass(0);
    assert.deepEqual([asked(), stored], [["look", "put A if absent"], [1]], "nothing is sent before a look");
    state.object = undefined;
    write("B");
    await pass(0);
    assert.deepEqual(asked(), ["put B if A", "look", "put B if absent"], "once");
  });
});

describe("Flusher, of a delete", () => {
  it("looks first, and sends nothing where there is nothing", async () => {
    const { state, stored, write, pass, asked } = trialOf();
    write(undefined);
    await pass(0);
    assert.deepEqual([asked(), stored], [["look"], [1]]);
    write("A");
    await pass(0);
    write(undefined);
    await pass(0);
    assert.deepEqual(asked(), ["put A if absent", "remove if A"], "it knows what is there");
    assert.deepEqual([state.object, stored], [undefined, [1, 2, 3]]);
  });
});

describe("Flusher, while a key is held back", () => {
  it("sends a newer state that no earlier request can undo", async () => {
    const { flusher, state, stored, write, pass, asked } = trialOf();
    state.answers = false;
    write("A");
    await pass(0);
    state.answers = true;
    write(undefined);
    await pass(flushDeadlineMs);
    asked();
    write("B");
    await pass(0);
    assert.deepEqual([asked(), stored], [["put B if absent"], [3]]);
    assert.equal(flusher.backlog.heldCount, 0);
  });

  it("does not hold it back for a request that was never sent", async () => {
    const { state, stored, write, pass, asked } = trialOf();
    state.answers = false;
    state.neverSent = true;
    write("A");
    await pass(0);
    state.answers = true;
    write(undefined);
    asked();
    await pass(0);
    assert.deepEqual([asked(), stored], [["look"], [2]]);
  });
});
