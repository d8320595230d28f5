/** Planted bugs in what an operator discards: see `mutations.ts`. */

import type { Mutation } from "./mutate.ts";

const primary = "src/member/keys/primary.ts";
const discard = "src/member/admin/discard.ts";

export const dropMutations: readonly Mutation[] = [
  {
    name: "drop-by-clean-alone",
    world: "refusals+failures",
    breaks:
      "what is discarded is followed by a newer version, which beats it wherever it is held: telling its holders to forget it is not enough",
    edits: [
      {
        file: primary,
        find: "    buffer.admission.takeForWrite(bytes);\n    return await this.#assign(request, bytes);\n",
        replace:
          '    if (!this.#parts.membership.settled) throw new OperatingError("not_ready", "the view is not settled");\n' +
          "    const record = buffer.get(request.key);\n" +
          "    Object.assign(record, { isForgotten: true, store: storeUnknown });\n" +
          "    this.#parts.reads.invalidate(request.key);\n" +
          "    this.#parts.observer.onCommit(record);\n" +
          '    return written({ ...version, tag: "" });\n',
      },
      {
        file: "src/member/flush/flusher.ts",
        find: "    if (record.entry && isDiscarded(record.entry)) {\n",
        replace: "    if (record.entry && (record.isForgotten || isDiscarded(record.entry))) {\n",
      },
    ],
  },
  {
    name: "drop-while-a-request-may-land",
    world: "refusals+store",
    breaks: "nothing is discarded while a request may still bring it, or something older, to the store",
    edits: [{ file: discard, find: "    if (flusher.mayChange(record))\n", replace: "    if (!flusher)\n" }],
  },
  {
    name: "drop-and-send-all-the-same",
    world: "refusals",
    breaks: "what is discarded is not sent any more, once that has been assigned",
    edits: [
      {
        file: primary,
        find: "    if (discards) record.lastSent = versionOf(entry);\n",
        replace: "",
      },
    ],
  },
  {
    name: "drop-while-a-client-waits",
    world: "refusals+retries",
    breaks: "nothing is discarded as long as a client may be told that the store has it",
    edits: [{ file: discard, find: "    if (requests.isAwaited(key))\n", replace: "    if (!requests)\n" }],
  },
];
