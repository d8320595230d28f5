/** Planted bugs of the shares that callers have of a node: of where they are taken, and where they are given back. */

import type { GlueBug } from "./glue-bug.ts";

const shares = "src/http/server/node-shares.ts";
const body = "src/http/server/body.ts";
const connections = "src/http/server/connections.ts";
const sharesTest = "test/integration/http-shares.test.ts";

export const sharesBugs: readonly GlueBug[] = [
  {
    name: "pipelined-requests-in-one-turn",
    breaks: "Pipelined requests that are answered at once leave turns to others, and count as such without an answer.",
    edits: [
      {
        file: "src/http/server.ts",
        find: "earlier.closing || earlier.response.closed) {",
        replace: "earlier.closing || earlier.response.writableEnded) {",
      },
    ],
    test: {
      file: "test/integration/http-slow-clients.test.ts",
      name: "2,000 requests in one go that are answered at once: the others have their turn, and the connection is cut",
      says: /\d answers/,
    },
  },
  {
    name: "pieces-without-an-end",
    breaks: "A burst of small work takes a few milliseconds of a turn.",
    edits: [
      {
        file: "src/http/server/pieces.ts",
        find: "      if (this.#clock.now() >= endsAt) break;\n",
        replace: "      void endsAt;\n",
      },
    ],
    test: {
      file: "test/unit/http/server/pieces.test.ts",
      name: "pieces take some milliseconds of a turn together, in the order in which they came",
      says: /deep-equal/,
    },
  },
  {
    name: "share-of-the-address-in-place-of-the-token",
    breaks: "A request with a token counts in the token's share.",
    edits: [
      {
        file: shares,
        find: "const name = grant.token === undefined ?",
        replace: 'const name = grant.token !== "" ?',
      },
    ],
    test: {
      file: sharesTest,
      name: "is given up by who has most of it, when another comes: by the bodies that began last",
      says: /503/,
    },
  },
  {
    name: "all-of-ipv6-one-address",
    breaks: "An address of IPv6 counts by its /64.",
    edits: [{ file: shares, find: "groups.slice(0, 4)", replace: "groups.slice(0, 0)" }],
    test: {
      file: "test/unit/http/server/node-shares.test.ts",
      name: "an address of IPv6 counts by its /64, and one of IPv4 by itself",
      says: /2001:db8/,
    },
  },
  {
    name: "share-of-an-unread-stream-kept",
    breaks: "The bytes of a body that becomes a stream are given back when its write ends before it is read on.",
    edits: [
      {
        file: "src/http/server/body-stream.ts",
        find: "    this.#release();\n    this.#endFirst();\n",
        replace: "    this.#release();\n",
      },
    ],
    test: {
      file: sharesTest,
      name: "the room of a body without a length is given back when its write is refused before it is read on",
      says: /503 !== 412/,
    },
  },
  {
    name: "share-of-a-body-kept",
    breaks: "The bytes of a body are given back when it is answered.",
    edits: [{ file: body, find: "    this.#share.release();\n", replace: "" }],
    test: {
      file: "test/integration/http-bodies.test.ts",
      name: "given back also when the operation fails",
      says: /overloaded/,
    },
  },
  {
    name: "whole-bodies-given-up",
    breaks: "A body that is whole belongs to a request that is under way.",
    edits: [{ file: body, find: "    if (this.#done) return false;\n    this.fail", replace: "    this.fail" }],
    test: {
      file: "test/unit/http/server/http-bodies.test.ts",
      name: "a body is given up for another caller's while it comes, and is not given up once it is whole",
      says: /it is refused/,
    },
  },
  {
    name: "silent-strangers-keep-peers-out",
    breaks: "Of the connections that are too many the oldest is closed for a new one, which may be a peer's.",
    edits: [
      {
        file: connections,
        find: "this.#surplus.size > this.#spare / 2) this.#closeSurplus();",
        replace: "this.#surplus.size > this.#spare / 2) socket.destroy();",
      },
    ],
    test: {
      file: sharesTest,
      name: "are kept free for peers and operators, however many addresses hold all others and say nothing",
      says: /the peer's call is taken/,
    },
  },
  {
    name: "place-of-a-request-kept",
    breaks: "A request's place is given back when it is answered.",
    edits: [{ file: "src/http/request-router.ts", find: "    place?.release();\n", replace: "" }],
    test: {
      file: sharesTest,
      name: "are not used up by one caller",
      says: /\d !== 0/,
    },
  },
  {
    name: "operators-need-a-place",
    breaks: "Operators are served however much clients ask for.",
    edits: [
      {
        file: "src/http/request-router.ts",
        find: 'if (need === "read" || need === "write") this.#takePlace',
        replace: 'if (need !== "open") this.#takePlace',
      },
    ],
    test: {
      file: sharesTest,
      name: "are not needed by operators",
      says: /503 !== 200/,
    },
  },
  {
    name: "link-keeps-the-place-of-a-client",
    breaks: "A connection that belongs to another protocol has no place among those of clients.",
    edits: [{ file: connections, find: "    this.#open.get(socket)?.place?.leave();\n", replace: "" }],
    test: {
      file: sharesTest,
      name: "are left by a connection that goes over to another protocol",
      says: /1 !== 0/,
    },
  },
  {
    name: "trickle-tolerated",
    breaks: "A client may be silent for a while in all, not each time.",
    edits: [
      {
        file: "src/http/server/patience.ts",
        find: "Math.max(0, this.#leftMs - waitedMs) + earnedMs",
        replace: "bodyIdleMs - waitedMs + earnedMs",
      },
    ],
    test: {
      file: "test/unit/http/server/patience.test.ts",
      name: "a client may be silent for a while, and earns its waits by what it moves, no more than one such while",
      says: /600 !== 100/,
    },
  },
  {
    name: "share-released-twice-forgets-its-holder",
    breaks: "A share that is released again is no later share of its holder.",
    edits: [
      {
        file: "src/base/shares.ts",
        find: "    if (!share.isTaken) return;\n",
        replace: "",
      },
    ],
    test: {
      file: "test/unit/base/shares.test.ts",
      name: "keep count of a holder whose earlier share is released twice, after it has taken another",
      says: /deep-equal/,
    },
  },
  {
    name: "all-uploads-for-one",
    breaks: "An upload whose value is whole is not given up, so one caller must not have all places.",
    edits: [{ file: shares, find: '"uploads", "upload_bytes", "listings"]', replace: '"listings"]' }],
    test: {
      file: sharesTest,
      name: "are not used up by values that are whole, and wait for the store",
      says: /503 !== 204/,
    },
  },
  {
    name: "share-of-a-waiting-request-kept",
    breaks: "What a request takes while it waits for an earlier answer is given back.",
    edits: [{ file: connections, find: "      share.release();\n      if (!response", replace: "      if (!response" }],
    test: {
      file: sharesTest,
      name: "is given back when the connection ends",
      says: /\d !== 0/,
    },
  },
  {
    name: "all-that-has-come-in-one-turn",
    breaks: "A turn of the event loop has a piece of a large body, however much of it has come.",
    edits: [
      {
        file: "src/http/server/body-stream.ts",
        find: "if (this.#givenInTurn < bytesPerTurn) return",
        replace: "if (this.#givenInTurn >= 0) return",
      },
    ],
    test: {
      file: "test/integration/http-body-turns.test.ts",
      name: "1 of them: some hundred KiB in a turn of each, and no more",
      says: /KiB in one turn/,
    },
  },
];
