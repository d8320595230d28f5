/** Planted bugs of uploads whose clients send the parts one by one, and say themselves when they are done. */

import type { Mutation } from "./mutate.ts";

const partedUploads = "src/member/large/parted-uploads.ts";

export const partedMutations: readonly Mutation[] = [
  {
    name: "parted-completed-without-a-reference",
    world: "parted",
    breaks: "L2: an upload is completed when all owners have its reference",
    edits: [
      {
        file: partedUploads,
        find: "    return await this.#router.write({\n",
        replace: `    const completed = { id, headers, token, size, parts: assembled.parts };
    const done = await (store as BlobStore).completeUpload(key, completed, { kind: "always" }, { deadlineMs });
    const version = { epoch: this.#context.membership.epoch, seq: 0 };
    if (done.kind === "written") return { kind: "written", version, tag: done.tag, durability: "stored" };
    return await this.#router.write({
`,
      },
    ],
  },
  {
    name: "parted-completed-without-being-assembled",
    world: "parted",
    breaks: "L15: a parted upload is assembled before its reference is assigned",
    edits: [
      {
        file: partedUploads,
        find: "await this.#tried(deadlineMs, () => store.assembleUpload(key, id, parts, { deadlineMs }));",
        replace: '{ kind: "assembled", parts: parts.map(({ number, tag }) => [number, tag].join("/")) };',
      },
    ],
  },
  {
    name: "parted-takes-an-object-of-other-parts-for-its-own",
    world: "parted",
    breaks: "L16: a reference takes only an object with its token and its size for its own",
    edits: [
      {
        file: "src/member/flush/store-look.ts",
        find: " && info.size === upload.size;",
        replace: ";",
      },
    ],
  },
  {
    name: "parted-completed-since-the-store-says-so",
    world: "parted",
    breaks: "L17: that the store has completed a parted upload is believed when the object has its token",
    edits: [
      {
        file: "src/member/flush/flush-steps.ts",
        find: 'if (result?.kind === "written" && !isParted(entry.upload?.token ?? "")) {',
        replace: 'if (result?.kind === "written") {',
      },
    ],
  },
  {
    name: "parted-lost-without-a-lease",
    world: "parted+losses",
    breaks: "L18: an upload counts as lost only at a primary that may answer for the key",
    test: {
      file: "test/unit/member/flush/flusher-uploads.test.ts",
      name: "is not lost at a primary whose lease has ended: a next one may have completed it, and written over it",
      says: /"lost"|'lost'/,
    },
    edits: [
      {
        file: "src/member/flush/flush-steps.ts",
        find: "      if (isLost) this.#parts.requests.requireLease(flight);\n",
        replace: "",
      },
    ],
  },
  {
    name: "parted-aborted-when-its-completion-fails",
    world: "parted",
    breaks: "L19: a parted upload is not aborted for the outcome of a completion",
    edits: [
      {
        file: partedUploads,
        find: "    return await this.#router.write({\n",
        replace: `    return await this.#writeOrAbort(key, upload, {
`,
      },
      {
        file: partedUploads,
        find: "  /**\n   * Waits until this member has adopted the view",
        replace: `  async #writeOrAbort(
    key: string,
    upload: PartedUpload,
    reference: Parameters<Operations["write"]>[0],
  ): Promise<WriteOutcome> {
    try {
      return await this.#router.write(reference);
    } catch (error) {
      void this.abort(key, upload).catch(() => undefined);
      throw error;
    }
  }

  /**
   * Waits until this member has adopted the view`,
      },
    ],
  },
  {
    name: "parted-lost-while-it-may-have-its-parts-again",
    world: "parted",
    breaks: "L7: an upload that lacks a part is aborted before it counts as lost",
    test: {
      file: "test/simulation/lost-upload.test.ts",
      name: "is not completed by a next primary, when its writer was told that nothing was stored, and the part comes again",
      says: /given up/,
    },
    edits: [
      {
        file: "src/member/flush/flight.ts",
        find: "    await this.#abort(flight, id);\n    return",
        replace: "    return",
      },
    ],
  },
  {
    name: "parted-completed-under-a-view-before-that-of-its-beginning",
    world: "parted+members",
    breaks: "L20: a member completes a parted upload only when it has adopted the view in which that was begun",
    test: {
      file: "test/unit/member/large/parted-uploads.test.ts",
      name: "is completed when the node has adopted the view in which it was begun, or not at all (L20)",
      says: /Missing expected rejection/,
    },
    edits: [{ file: partedUploads, find: "    await this.#reachEpochOf(key, token);\n", replace: "" }],
  },
];
