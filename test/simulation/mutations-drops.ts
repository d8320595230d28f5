/** Planted bugs in what an operator discards: see `mutations.ts`. */

import type { Mutation } from "./mutate.ts";

const primary = "src/member/keys/primary.ts";
const discard = "src/member/admin/discard.ts";

export const dropMutations: readonly Mutation[] = [
  {
    name: "drop-by-clean-alone",
    world: "refusals+failures",
    breaks: "D1: a discard is a write, whose version beats what is discarded wherever that is held",
    edits: [
      {
        file: primary,
        find: "    this.#context.buffer.admission.takeForWrite(bytes);\n    return await this.#parts.assigner.assign(request, bytes);\n",
        replace:
          "    const { membership, buffer } = this.#context;\n" +
          '    if (!membership.settled) throw new OperatingError("not_ready", "the view is not settled");\n' +
          "    const record = buffer.get(request.key);\n" +
          "    Object.assign(record, { isForgotten: true });\n" +
          '    record.saw({ kind: "unknown" });\n' +
          "    this.#parts.reads.invalidate(request.key);\n" +
          "    this.#parts.flush.schedule(record);\n" +
          '    return { kind: "written", version, tag: "", durability: "replicated" };\n',
      },
      {
        file: "src/member/flush/flush-queue.ts",
        find: "    if (record.entry && isDiscarded(record.entry)) {\n",
        replace: "    if (record.entry && (record.isForgotten || isDiscarded(record.entry))) {\n",
      },
      {
        file: "src/core/key-state.ts",
        find: '    assert(this.#entry?.upload !== undefined, "only a reference stands for what the store has");\n',
        replace: "",
      },
    ],
  },
  {
    name: "drop-while-a-request-may-land",
    world: "refusals+store",
    breaks: "D3: nothing is discarded while a request may still take effect for the key",
    edits: [
      { file: discard, find: "    if (this.#flusher.mayChange(record))\n", replace: "    if (!this.#flusher)\n" },
    ],
  },
  {
    name: "drop-and-send-all-the-same",
    world: "refusals",
    breaks: "D5: once a discard is assigned, what it discards is not sent any more",
    edits: [
      {
        file: "src/core/key-state.ts",
        find: "    if (isDiscarded(entry)) this.#lastSent = versionOf(entry);\n",
        replace: "",
      },
    ],
  },
  {
    name: "refused-share-never-given-back",
    world: "refusals+shares",
    breaks: "W28: what the store refuses counts until the store has it, it is given up, or another member serves it",
    edits: [
      {
        file: "src/core/refused-values.ts",
        find: "    this.#refusals.delete(record);\n    this.#uncount(record, refusal);\n",
        replace: "    this.#refusals.delete(record);\n",
      },
    ],
  },
  {
    name: "drop-while-a-client-waits",
    world: "refusals+retries",
    breaks: "D4: nothing is discarded while a router may still be asked whether the store has it",
    edits: [{ file: discard, find: "    if (requests.isAwaited(key))\n", replace: "    if (!requests)\n" }],
  },
];
