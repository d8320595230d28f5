/** Planted bugs in what is remembered of requests that may take effect late: long after the wait for their answer. */

import type { Mutation } from "./mutate.ts";

const flusher = "src/member/flush/flusher.ts";
const flushSteps = "src/member/flush/flush-steps.ts";
const flight = "src/member/flush/flight.ts";
const firstLooks = "src/member/flush/first-looks.ts";
const assigner = "src/member/keys/assigner.ts";
const late = "src/core/late-effects.ts";
const lateTest = "test/unit/core/late-effects.test.ts";

export const lateMutations: readonly Mutation[] = [
  {
    name: "late-condition-made-true-again",
    world: "lateEffects",
    breaks: "F24: what would make the condition of an open request true is held back",
    edits: [
      {
        file: "src/member/flush/late-hold.ts",
        find: "  if (!late.mayChange(entry.key, now)) return undefined;\n",
        replace: "  if (entry.key !== undefined) return undefined;\n",
      },
    ],
  },
  {
    name: "late-requests-forgotten-after-f",
    world: "lateEffects",
    breaks: "F24: the condition of an open request is remembered until L, not until F",
    edits: [
      {
        file: late,
        find: "    const until = this.until(now);\n    const request",
        replace: "    const until = now + this.#lateEffectMs / 30;\n    const request",
      },
    ],
  },
  {
    name: "ignored-condition-trusted",
    world: "lateEffects",
    breaks: "F24: a store that ignores the condition of a removal may remove whatever is there",
    edits: [{ file: flight, find: "if (this.#heeds.onRemovals) return", replace: "if (!this.#stopped) return" }],
  },
  {
    name: "removal-told-when-it-has-failed",
    world: "large+lateEffects",
    breaks: "F27: the other owners know of a removal without a condition before it is sent",
    edits: [{ file: flight, find: "late.announce(key, entry, clock.now())", replace: "late.isFull" }],
  },
  {
    name: "removal-without-an-answer-ended",
    world: "lateEffects",
    breaks: "F27: a removal of which nobody knows whether it was done is remembered until L",
    edits: [{ file: flight, find: "if (isToEnd && !isOpen) await", replace: "if (isToEnd) await" }],
  },
  {
    name: "last-owner-leaves-before-late-effects",
    world: "lateEffects+members",
    breaks: "V29: the last owner waits until no request without an answer can take effect any more",
    test: {
      file: "test/unit/member/views/leaving.test.ts",
      name: "waits until the store can do no more what got no answer, since nobody else knows of it",
      says: /it waits until L is over/,
    },
    edits: [
      {
        file: "src/member/views/leaving.ts",
        find: "    return isDone && !this.#awaitsEffects();\n",
        replace: "    return isDone;\n",
      },
    ],
  },
  {
    name: "late-swap-forgotten",
    world: "lateEffects+members",
    breaks: "V2: a swap without an answer may take effect until the record is another one",
    test: {
      file: "test/unit/member/views/view-record.test.ts",
      name: "may take effect for as long as no later look has found another record",
      says: /its condition still holds/,
    },
    edits: [
      {
        file: "src/member/views/view-record.ts",
        find: "if (each !== tag) this.#open.delete(each);",
        replace: "this.#open.delete(each);",
      },
    ],
  },
  {
    name: "removal-ended-by-a-late-word",
    world: "large+lateEffects",
    breaks: "F27: when not all may have heard of the answer, the removal counts as one of any version",
    test: {
      file: "test/unit/member/flush/late-notices.test.ts",
      name: "keep it when another owner may not have heard that it was answered",
      says: /no word of this version ends it/,
    },
    edits: [
      { file: late, find: "{ ...each, version: undefined, toldUntil: Number.NEGATIVE_INFINITY }", replace: "each" },
    ],
  },
  {
    name: "late-conditions-not-told",
    world: "lateEffects+crashes",
    breaks: "F25: the key's other owners know the conditions before its next request",
    edits: [
      {
        file: "src/member/flush/late-notices.ts",
        find: "      if (effects.length === 0) return;\n",
        replace: "      if (effects.length < 1e9) return;\n",
      },
    ],
  },
  {
    name: "late-conditions-not-handed-off",
    world: "lateEffects+members",
    breaks: "F25: a hand-off has the conditions, also of keys that are clean",
    edits: [
      {
        file: "src/member/views/hand-off.ts",
        find: "over(late.effects(clock.now()), ",
        replace: "over([...late.effects(clock.now())].slice(0, 0), ",
      },
    ],
  },
  {
    name: "late-conditions-not-recovered",
    world: "lateEffects+power",
    breaks: "F25: the journal has the conditions",
    edits: [
      {
        file: "src/member/member.ts",
        find: "this.#lane.over(late, remember, () => this.#recovered.resolve())",
        replace: "this.#lane.over([], remember, () => this.#recovered.resolve())",
      },
    ],
  },
  {
    name: "first-look-not-remembered",
    world: "lateEffects+crashes",
    breaks: "F26: what the first look finds may be the condition of the predecessor's last request",
    test: {
      file: "test/unit/member/flush/first-looks.test.ts",
      name: "remember what they find, once, and only for a key that was gained",
      says: /what the first look has found counts/,
    },
    edits: [{ file: firstLooks, find: "[...found, ", replace: "[" }],
  },
  {
    name: "predecessor-taken-to-know-the-object",
    world: "lateEffects+members",
    breaks: "F26: a predecessor may have sent a value as if there was no object",
    test: {
      file: "test/unit/member/flush/first-looks.test.ts",
      name: "take it that a value was sent as if there was no object, whatever they find",
      says: /the predecessor need not have known the object/,
    },
    edits: [
      {
        file: firstLooks,
        find: '[...found, { kind: "absent" }, ',
        replace: "[...found, ",
      },
    ],
  },
  {
    name: "unknown-request-not-handed-on",
    world: "lateEffects+crashes",
    breaks: "F26: a request that nobody knows is handed on with the key, until the object was looked at",
    test: {
      file: "test/unit/member/views/hand-off.test.ts",
      name: "says after the entries of which keys nobody has looked at the object since a primary was lost (F26)",
      says: /a request that nobody knows may take effect yet/,
    },
    edits: [
      {
        file: "src/member/views/hand-off.ts",
        find: "        if (unknownUntil > now) pack(unknown, peer, { key, leftMs: unknownUntil - now });\n",
        replace: "",
      },
    ],
  },
  {
    name: "inherited-state-sent-without-a-look",
    world: "lateEffects+crashes",
    breaks: "F28: a member that inherits a key's state looks at the object before it sends a request for it",
    test: {
      file: "test/simulation/lost-twice.test.ts",
      name: "stays deleted, though two primaries were lost and the second one knew the object by its own write",
      says: /'old'/,
    },
    edits: [{ file: flushSteps, find: 'before.kind === "unseen" || (', replace: "(" }],
  },
  {
    name: "handed-off-before-the-keys-gained-are-noted",
    world: "slices+lateEffects",
    breaks: "V68: a member has handed off only when it has activated the view and noted what it gained",
    test: {
      file: "test/unit/member/views/view-life.test.ts",
      name: "has handed off only when it has activated the view and noted all that it gained (V68)",
      says: /the next view would not know/,
    },
    edits: [
      {
        file: "src/member/views/view-life.ts",
        find: "    if (!membership.activated || this.#takingOverSince !== undefined) return;\n",
        replace: "",
      },
    ],
  },
  {
    name: "unknown-request-ends-with-the-tenure",
    world: "lateEffects+crashes",
    breaks: "F26: what a lost primary may have left outlives the tenure of a successor that has not looked",
    test: {
      file: "test/unit/member/flush/first-looks.test.ts",
      name: "remember what they find also where the key was lost in between: nobody has looked meanwhile",
      says: /Expected values to be strictly equal/,
    },
    edits: [
      {
        file: "src/core/key-state.ts",
        find: "    this.attempted(undefined);\n    this.release();\n    for",
        replace:
          "    this.#unknownUntil = Number.NEGATIVE_INFINITY;\n    this.attempted(undefined);\n    this.release();\n    for",
      },
    ],
  },
  {
    name: "raced-removal-believed",
    world: "lateEffects+crashes",
    breaks: "F29: the answer of a removal does not count while an earlier request may take effect",
    test: {
      file: "test/simulation/raced-removal.test.ts",
      name: "what is removed stays so, though the store has said that it is gone and has left an earlier value",
      says: /'second'/,
    },
    edits: [
      {
        file: "src/member/flush/flight.ts",
        find: "const mayBeRaced = late.mayChange(flight.entry.key, clock.now());",
        replace: "const mayBeRaced = late.mayChange(flight.entry.key, clock.now()) && false;",
      },
    ],
  },
  {
    name: "handed-back-state-sent-without-a-look",
    world: "lateEffects+crashes",
    breaks: "F28: so is what is handed back to a primary that has served the key all the time",
    test: {
      file: "test/simulation/handed-back.test.ts",
      name: "what a replica hands back to its primary is looked at before it is sent: it may be in the store",
      says: /nothing is sent without a look/,
    },
    edits: [
      {
        file: "src/core/key-state.ts",
        find: "    this.#replace(entry);\n    this.#store = storeUnseen;\n",
        replace: "    this.#replace(entry);\n",
      },
    ],
  },
  {
    name: "tag-of-an-upload-foreseen-of-any-store",
    world: "large+lateEffects",
    breaks: "F24: the tag of an upload is not foreseen any more once the store has made another one than S3",
    test: {
      file: "test/unit/member/flush/late-hold.test.ts",
      name: "holds one back under any tag of an upload, once the store has made another one than S3",
      says: /Expected values to be strictly equal/,
    },
    edits: [
      {
        file: "src/member/flush/late-hold.ts",
        find: "this.#hasOtherTags ? undefined : tagOfParts(parts)",
        replace: "tagOfParts(parts)",
      },
    ],
  },
  {
    name: "upload-of-the-tag-that-s3-makes-not-held",
    world: "large+lateEffects",
    breaks: "F24: no upload is completed whose tag is the condition of a request that may take effect late",
    test: {
      file: "test/unit/member/flush/late-hold.test.ts",
      name: "holds one back under the very tag that S3 makes of its parts",
      says: /Expected values to be strictly equal/,
    },
    edits: [
      {
        file: "src/core/late-effects.ts",
        find: "tag === state.partTag || tag === state.wholeTag ||",
        replace: "tag === state.partTag ||",
      },
    ],
  },
  {
    name: "dropped-while-a-request-that-nobody-knows-may-land",
    world: "lateEffects+crashes",
    breaks: "D3: nothing is discarded while a request may still change the object, one that nobody knows included",
    test: {
      file: "test/unit/member/flush/flusher-late.test.ts",
      name: "says that a request that nobody knows may change the object, so that nothing of it is discarded (D3)",
      says: /nobody knows of the request/,
    },
    edits: [
      {
        file: flusher,
        find: "if (flight !== undefined || waits || unknownUntil > now || ",
        replace: "if (flight !== undefined || waits || ",
      },
    ],
  },
  {
    name: "quiet-although-a-failure-came-after-the-hand-off",
    world: "lateEffects+members",
    breaks: "F6: a member is not quiet in a view under which a request of a tenure that it has lost has failed",
    test: {
      file: "test/simulation/late-failure.test.ts",
      name: "stays deleted, though the request of a node that left failed after its hand-off",
      says: /'old'/,
    },
    edits: [
      {
        file: flusher,
        find: "    if (this.#requests.strayedIn === membership.epoch && !membership.settled) return false;\n",
        replace: "",
      },
    ],
  },
  {
    name: "flushed-before-the-keys-gained-are-noted",
    world: "slices+lateEffects",
    breaks: "F26: no flush begins before the member has noted all keys that it has gained",
    test: {
      file: "test/unit/member/views/view-life.test.ts",
      name: "has no flush begin before it has noted all that it gained, also if the next view cuts that short (F26)",
      says: /no flush begins/,
    },
    edits: [
      {
        file: "src/member/views/view-life.ts",
        find: "    flusher.pause();\n",
        replace: "",
      },
    ],
  },
  {
    name: "look-not-heeded-by-its-own-flight",
    world: "lateEffects+power",
    breaks: "F26: what the first look finds holds back the request that follows it",
    test: {
      file: "test/unit/member/flush/flusher-late.test.ts",
      name: "holds back the very content that the first look finds, and a delete",
      says: /a look learns what to wait for/,
    },
    edits: [{ file: flushSteps, find: '"newer" || !(await this.#parts.hold.mayGoOn(flight))', replace: '"newer"' }],
  },
  {
    name: "forgotten-owners-taken-for-silent",
    world: "lateEffects",
    breaks: "V69: owners that were forgotten may have a request under way",
    test: {
      file: "test/simulation/forgotten-late.test.ts",
      name: "stays deleted, though a request of theirs takes effect late",
      says: /'lost'/,
    },
    edits: [{ file: assigner, find: "membership.mayForgottenSendSince(record.key,", replace: "late.isFull && (0 <" }],
  },
  {
    name: "first-write-after-forgetting-sent-unseen",
    world: "lateEffects",
    breaks: "V69: the first look at the object of a key whose owners were forgotten comes before its first write",
    test: {
      file: "test/simulation/forgotten-late.test.ts",
      name: "stays so, deleted while the first value after the loss was on its way",
      says: /'lost'/,
    },
    edits: [{ file: assigner, find: "      record.saw(storeUnseen); // V69\n", replace: "" }],
  },
  {
    name: "late-writes-of-forgotten-owners-not-seen",
    world: "forgets+lateEffects",
    breaks: "R6: what may still change by a request of forgotten owners is not cached",
    edits: [
      {
        file: "src/member/keys/read-path.ts",
        find: "    if (membership.mayForgottenSendSince(key, late.since(now))) return false;\n",
        replace: "",
      },
    ],
  },
  {
    name: "forgotten-owners-end-with-the-settling",
    world: "lateEffects",
    breaks: "V69: the views whose owners were forgotten are named in the settled view, too",
    test: {
      file: "test/simulation/forgotten-late.test.ts",
      name: "stays so at a node that came when the view had settled",
      says: /'lost'/,
    },
    edits: [
      {
        file: "src/core/view-changes.ts",
        find: "return forgotten.length > 0 ?",
        replace: "return forgotten.length < 0 ?",
      },
    ],
  },
  {
    name: "told-conditions-not-extended",
    world: "lateEffects+crashes",
    breaks: "F26: what was told counts until L after the takeover",
    test: {
      file: "test/unit/member/flush/first-looks.test.ts",
      name: "have what was told count from the takeover on",
      says: /the last request was sent under what was told/,
    },
    edits: [{ file: firstLooks, find: "    late.extend(record.key, record.newest, now);\n", replace: "" }],
  },
  {
    name: "told-conditions-forgotten-at-l",
    world: "lateEffects+crashes",
    breaks: "F26: what was told is kept for L longer, for a takeover",
    test: {
      file: lateTest,
      name: "are kept for as long again, for a takeover, and then forgotten in the journal, too",
      says: /Expected values to be strictly/,
    },
    edits: [{ file: late, find: "until + this.#lateEffectMs <= now", replace: "until <= now" }],
  },
  {
    name: "undone-state-taken-for-stored",
    world: "lateEffects+crashes",
    breaks:
      "F24: a state under which an open condition holds does not count as stored, if that was learned meanwhile, too",
    edits: [
      {
        file: flushSteps,
        find: "    if (this.#parts.hold.mayBeUndone(flight)) return;\n    if (record.arrived",
        replace: "    if (record.arrived",
      },
    ],
  },
  {
    name: "held-inherited-write-waits-for-the-store",
    world: "lateEffects+crashes",
    breaks: "V70: an inherited write that is held back commits without the store",
    test: {
      file: "test/simulation/held-and-read.test.ts",
      name: "a removal of it",
      says: /the key answers soon/,
    },
    edits: [
      {
        file: flusher,
        find: "      if (record.commitUnstored(entry)) this.#parts.committer.commitReady(record);\n",
        replace: "",
      },
    ],
  },
  {
    name: "inherited-write-waits-for-the-store-though-there-are-owners",
    world: "lateEffects+members",
    breaks: "V70: an inherited write commits without the store, at the latest when there are owners enough again",
    test: {
      file: "test/simulation/held-and-read.test.ts",
      name: "answers soon when another node has come",
      says: /the key answers soon/,
    },
    edits: [
      {
        file: flusher,
        find: "      if (record.commitUnstored(entry)) this.#parts.committer.commitReady(record);\n",
        replace: "",
      },
      {
        file: "src/core/pending-write.ts",
        find: "(this.asksStore && this.needsStore)",
        replace: "(this.inherited && this.needsStore)",
      },
    ],
  },
  {
    name: "tag-of-parts-unknown",
    world: "large+lateEffects",
    breaks: "F24: a large value over a large one is held only under the tag that it will have",
    test: {
      file: "test/simulation/held-and-read.test.ts",
      name: "answers soon where a large value was to take the place of another large one",
      says: /the key answers soon/,
    },
    edits: [
      {
        file: "src/core/upload-manifest.ts",
        find: "if (digests.length === 0 || ",
        replace: "if (digests.length > 0 || ",
      },
    ],
  },
  {
    name: "last-request-taken-for-the-only-one-of-forgotten-owners",
    world: "lateEffects",
    breaks: "V69: absence counts as a condition, also if the first look finds the very version",
    test: {
      file: "test/simulation/forgotten-late.test.ts",
      name: "stays so, though the next primary has found the last request done: an earlier one was not",
      says: /'first'/,
    },
    edits: [
      {
        file: firstLooks,
        find: "    if (this.#hasForgotten(record)) this.#looked(record, []);\n    else record",
        replace: "    record",
      },
    ],
  },
  {
    name: "ignored-removals-of-forgotten-owners-not-expected",
    world: "lateEffects",
    breaks: "V69: where the store ignores conditions of removals, one of forgotten owners may come at any object",
    test: {
      file: "test/simulation/forgotten-late.test.ts",
      name: "stays there, though the store does a removal of theirs late, whatever its condition was",
      says: /'new'/,
    },
    edits: [
      {
        file: firstLooks,
        find: 'this.#heeds.onRemovals ? [] : [{ kind: "any_present" }]',
        replace: "this.#heeds.onRemovals ? [] : []",
      },
    ],
  },
  {
    name: "ignored-completions-of-forgotten-owners-not-expected",
    world: "lateEffects",
    breaks: "V69: where the store ignores conditions of completions, one of forgotten owners may come at any state",
    test: {
      file: "test/simulation/forgotten-late.test.ts",
      name: "stays there, though the store does a completion of theirs late, whatever its condition was",
      says: /'large'/,
    },
    edits: [{ file: firstLooks, find: '    if (!this.#heeds.onCompletions) return [{ kind: "any" }];\n', replace: "" }],
  },
  {
    name: "another-r-while-forgotten-owners-matter",
    world: "lateEffects+members",
    breaks: "V69: a cluster that everybody has left keeps its R while forgotten owners matter",
    test: {
      file: "test/simulation/forgotten-late.test.ts",
      name: "stays so when everybody has left since, and the cluster is begun anew with another R",
      says: /'lost'/,
    },
    edits: [{ file: "src/core/view-changes.ts", find: " && view.forgotten === undefined;", replace: ";" }],
  },
  {
    name: "forgotten-key-looked-at-with-each-write",
    world: "lateEffects",
    breaks: "V69: only the first write of a key of forgotten owners begins with a look",
    test: {
      file: "test/simulation/forgotten-keys.test.ts",
      name: "is stored again and again, as often as it is written: one look at the object was enough",
      says: /Expected values to be strictly deep-equal/,
    },
    edits: [{ file: assigner, find: "late.lookedAt(record.key) ?? Number", replace: 'late.lookedAt("") ?? Number' }],
  },
  {
    name: "lost-views-of-forgotten-owners-never-silent",
    world: "lateEffects",
    breaks: "V69: a lost view that a member has known for L is marked as silent when one settles",
    test: {
      file: "test/simulation/forgotten-keys.test.ts",
      name: "is as any other after L, also while another lost owner is awaited",
      says: /the delete is done soon/,
    },
    edits: [
      {
        file: "src/core/view-changes.ts",
        find: "    ...(hasForgotten(past) && !sending.has(past.epoch) ? { silent: true } : {}),\n",
        replace: "",
      },
    ],
  },
  {
    name: "silent-mark-not-heeded",
    world: "lateEffects",
    breaks: "V69: who learns of a silent view need not know it for L",
    test: {
      file: "test/simulation/forgotten-keys.test.ts",
      name: "is as any other after L, also while another lost owner is awaited",
      says: /the delete is done soon/,
    },
    edits: [
      {
        file: "src/core/forgotten-owners.ts",
        find: "ids.size === 0 || past.silent === true",
        replace: "ids.size === 0",
      },
    ],
  },
  {
    name: "forgotten-owners-stay-in-a-settled-record",
    world: "lateEffects",
    breaks: "V69: the minute's look takes forgotten owners out of the settled record after L",
    test: {
      file: "test/simulation/forgotten-keys.test.ts",
      name: "is as any other after L, also at a node that comes only then",
      says: /the delete is done soon/,
    },
    edits: [
      {
        file: "src/member/views/view-check.ts",
        find: "      if (stored !== undefined) await this.#tidy(stored);\n",
        replace: "",
      },
    ],
  },
  {
    name: "view-with-forgotten-owners-named-again-and-again",
    world: "lateEffects",
    breaks: "V69: the record names each view with forgotten owners once",
    test: {
      file: "test/simulation/forgotten-keys.test.ts",
      name: "names each earlier view once, however often it settles while a lost owner is awaited",
      says: /Expected values to be strictly deep-equal/,
    },
    edits: [
      {
        file: "src/core/forgotten-owners.ts",
        find: ".map((past) => [past.epoch, past]));\n    for",
        replace: ".map((past, index) => [index, past]));\n    for",
      },
    ],
  },
  {
    name: "view-waits-for-what-is-held-back",
    world: "forgets+lateEffects",
    breaks: "V53: a key of forgotten owners was asked for when a look has found nothing newer",
    test: {
      file: "test/simulation/forgotten-keys.test.ts",
      name: "does not keep a view from settling while what it has is held back, and can be read",
      says: /it is back/,
    },
    edits: [
      {
        file: flushSteps,
        find: '    if (found !== "newer") this.#parts.inheritance.looked(record, entry);\n',
        replace: "",
      },
    ],
  },
  {
    name: "look-of-an-asked-key-held-back",
    world: "forgets+lateEffects",
    breaks: "V53: the look that a view waits for is not held back",
    test: {
      file: "test/simulation/forgotten-keys.test.ts",
      name: "does not keep a view from settling while what it has is held back, and can be read",
      says: /it is back/,
    },
    edits: [
      {
        file: flusher,
        find: "const held = isAsked ? undefined",
        replace: "const held = isAsked && this.#stopped ? undefined",
      },
    ],
  },
  {
    name: "primary-learns-of-its-own-requests",
    world: "lateEffects+members",
    breaks: "F25: a primary that has kept the key learns nothing of its own requests from others",
    test: {
      file: "test/simulation/late-ends.test.ts",
      name: "ends, however often views change: a delete is done after L",
      says: /it is done when no request can take effect/,
    },
    edits: [
      {
        file: "src/member/keys/replica.ts",
        find: "for (const effect of effects) if (!this.#serves(effect.key)) late.learn(",
        replace: "for (const effect of effects) late.learn(",
      },
    ],
  },
  {
    name: "primary-told-that-nobody-has-looked",
    world: "lateEffects+members",
    breaks: "F25: a primary that has kept the key is not told that a request for it is unknown",
    test: {
      file: "test/unit/member/keys/replica.test.ts",
      name: "says nothing new to a primary that has kept the key and has looked at the object (F25)",
      says: /all requests for it are known/,
    },
    edits: [
      {
        file: "src/member/keys/replica.ts",
        find: 'if (record?.store.kind === "unknown" || record?.store.kind === "unseen") {',
        replace: "if (record !== undefined) {",
      },
    ],
  },
];
