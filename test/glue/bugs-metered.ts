/** Planted bugs of what counts the requests to the store, which every request passes. */

import type { GlueBug } from "./glue-bug.ts";

const metered = "src/store/metered-store.ts";
const meteredTest = "test/unit/store/metered-store.test.ts";

export const meteredBugs: readonly GlueBug[] = [
  {
    name: "metered-write-without-consent",
    breaks: "F1: Before a write is sent, the lease of its sender is looked at.",
    edits: [
      {
        file: metered,
        find: "this.#store.write(name, content, condition, options)",
        replace: "this.#store.write(name, content, condition, { deadlineMs: options.deadlineMs })",
      },
    ],
    test: {
      file: meteredTest,
      name: "a metered store hands each request on as it is, the caller's consent included, and its answer back",
      says: /write has changed argument 3/,
    },
  },
  {
    name: "metered-removal-without-consent",
    breaks: "F1: Before a removal is sent, the lease of its sender is looked at.",
    edits: [
      {
        file: metered,
        find: "this.#store.remove(name, condition, options)",
        replace: "this.#store.remove(name, condition, { deadlineMs: options.deadlineMs })",
      },
    ],
    test: {
      file: meteredTest,
      name: "a metered store hands each request on as it is, the caller's consent included, and its answer back",
      says: /remove has changed argument 2/,
    },
  },
  {
    name: "metered-completion-without-consent",
    breaks: "F1: Before an upload is completed, the lease of its sender is looked at.",
    edits: [
      {
        file: metered,
        find: "this.#store.completeUpload(name, upload, condition, options)",
        replace: "this.#store.completeUpload(name, upload, condition, { deadlineMs: options.deadlineMs })",
      },
    ],
    test: {
      file: meteredTest,
      name: "a metered store hands each request on as it is, the caller's consent included, and its answer back",
      says: /completeUpload has changed argument 3/,
    },
  },
  {
    name: "metered-part-without-consent",
    breaks: "F1: Before a part is sent, the lease of its sender is looked at.",
    edits: [
      {
        file: metered,
        find: "upload.sendPart(part, partOptions)",
        replace: "upload.sendPart(part, { deadlineMs: partOptions.deadlineMs })",
      },
    ],
    test: {
      file: meteredTest,
      name: "a metered store hands each step of an upload on as it is, the caller's consent included",
      says: /argument 4 has changed/,
    },
  },
  {
    name: "metered-read-not-urgent",
    breaks: "F19: A read that a whole node waits for does not wait behind those of clients.",
    edits: [
      {
        file: metered,
        find: "this.#store.read(name, maxBytes, options)",
        replace: "this.#store.read(name, maxBytes, { deadlineMs: options.deadlineMs })",
      },
    ],
    test: {
      file: meteredTest,
      name: "a metered store hands each request on as it is, the caller's consent included, and its answer back",
      says: /read has changed argument 2/,
    },
  },
  {
    name: "metered-write-without-condition",
    breaks: "F2: A write carries the condition that its caller gave it.",
    edits: [
      {
        file: metered,
        find: "this.#store.write(name, content, condition, options)",
        replace: 'this.#store.write(name, content, { kind: "always" }, options)',
      },
    ],
    test: {
      file: meteredTest,
      name: "a metered store hands each request on as it is, the caller's consent included, and its answer back",
      says: /write has changed argument 2/,
    },
  },
  {
    name: "metered-error-swallowed",
    breaks: "MeteredStore fails with the error of the store beneath.",
    edits: [
      {
        file: metered,
        find: "      throw error;\n    } finally {",
        replace: "      return undefined as T;\n    } finally {",
      },
    ],
    test: {
      file: meteredTest,
      name: "a metered store fails with the error of the store beneath, in every kind of request",
      says: /Missing expected rejection: read/,
    },
  },
  {
    name: "metered-store-not-closed",
    breaks: "MeteredStore closes the store beneath at its end.",
    edits: [
      { file: metered, find: "    await this.#store[Symbol.asyncDispose]();", replace: "    await Promise.resolve();" },
    ],
    test: {
      file: meteredTest,
      name: "a metered store is the store beneath for people, for names that do not fit, and at its end",
      says: /-\s+'Symbol\(Symbol\.asyncDispose\)'/,
    },
  },
  {
    name: "metered-every-name-fits",
    breaks: "MeteredStore says of a name what the store beneath says.",
    edits: [
      {
        file: metered,
        find: "    return this.#store.fits(name);",
        replace: "    return this.#store.fits(name) || true;",
      },
    ],
    test: {
      file: meteredTest,
      name: "a metered store is the store beneath for people, for names that do not fit, and at its end",
      says: /true !== false/,
    },
  },
  {
    name: "withheld-request-timed",
    breaks: "MeteredStore does not time what was never sent.",
    edits: [{ file: metered, find: '      if (outcome !== "withheld") seconds', replace: "      seconds" }],
    test: {
      file: meteredTest,
      name: "a request that fails with not_ready is withheld, and not timed, since it was not sent",
      says: /1 !== 0/,
    },
  },
  {
    name: "throttling-counted-as-refusal",
    breaks: "MeteredStore tells a store that is busy from one that refuses.",
    edits: [
      {
        file: metered,
        find: 'isOperatingError(error, "store_refused")) outcome',
        replace: 'isOperatingError(error, "store_refused", "store_throttled")) outcome',
      },
    ],
    test: {
      file: meteredTest,
      name: "a request that fails with store_throttled is throttled, and timed",
      says: /\+\s+'refused',\n-\s+'throttled'/,
    },
  },
];
