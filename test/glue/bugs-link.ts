/** Planted bugs of one link to a peer. */

import type { GlueBug } from "./glue-bug.ts";

const link = "src/network/peer-link.ts";
const dutiesTest = "test/integration/link-duties.test.ts";
const linkTest = "test/integration/peer-link.test.ts";
const lifeTest = "test/integration/link-life.test.ts";
const trustTest = "test/integration/link-trust.test.ts";

export const linkBugs: readonly GlueBug[] = [
  {
    name: "replica-acknowledged-at-once",
    breaks: "J1: A replica is acknowledged once the journal has it.",
    edits: [
      {
        file: link,
        find: "    if (!(result instanceof Promise)) {",
        replace:
          '    if (request.kind === "replicate") {\n      this.#answer(number, { kind: "ack", epoch: request.epoch });\n      return;\n    }\n    if (!(result instanceof Promise)) {',
      },
    ],
    test: {
      file: dutiesTest,
      name: "link: nothing is acknowledged before the handler has done it, whatever is asked",
      says: /acknowledged before it was done.*'replicate'/s,
    },
  },
  {
    name: "hand-off-acknowledged-at-once",
    breaks: "J1: A hand-off is acknowledged once the journal has it.",
    edits: [
      {
        file: link,
        find: "    if (!(result instanceof Promise)) {",
        replace:
          '    if (request.kind === "hand_off") {\n      this.#answer(number, { kind: "ack", epoch: request.epoch });\n      return;\n    }\n    if (!(result instanceof Promise)) {',
      },
    ],
    test: {
      file: dutiesTest,
      name: "link: nothing is acknowledged before the handler has done it, whatever is asked",
      says: /acknowledged before it was done.*'hand_off'/s,
    },
  },
  {
    name: "answers-of-others",
    breaks: "An answer is that to the request with its number.",
    edits: [
      {
        file: link,
        find: "        this.#inFlight.take(number)?.answer(answer);",
        replace: "        (this.#inFlight.take(number ^ 1) ?? this.#inFlight.take(number))?.answer(answer);",
      },
    ],
    test: {
      file: dutiesTest,
      name: "link: nothing is acknowledged before the handler has done it, whatever is asked",
      says: /has not answered in time/,
    },
  },
  {
    name: "ping-waits",
    breaks: "A ping overtakes all that waits.",
    edits: [
      {
        file: link,
        find: '      const urgent = request.kind === "ping";',
        replace: "      const urgent = request.kind === undefined;",
      },
    ],
    test: {
      file: dutiesTest,
      name: "link: pings and notices overtake whatever else waits to be sent",
      says: /a ping has waited/,
    },
  },
  {
    name: "pong-waits",
    breaks: "A pong overtakes all that waits.",
    edits: [
      {
        file: link,
        find: '    const urgent = answer.kind === "pong";',
        replace: "    const urgent = answer.kind === undefined;",
      },
    ],
    test: {
      file: dutiesTest,
      name: "link: pongs overtake the answers that wait to be sent",
      says: /a pong has waited/,
    },
  },
  {
    name: "notice-waits",
    breaks: "A notice overtakes all that waits.",
    edits: [
      {
        file: link,
        find: "    writeNotice(this.#queue.begin(true), notice);",
        replace: "    writeNotice(this.#queue.begin(false), notice);",
      },
    ],
    test: {
      file: dutiesTest,
      name: "link: pings and notices overtake whatever else waits to be sent",
      says: /a notice has waited/,
    },
  },
  {
    name: "request-outlives-its-deadline",
    breaks: "A request fails at its deadline.",
    edits: [
      {
        file: link,
        find: "new PendingRequest(this.#clock.now() + deadlineMs,",
        replace: "new PendingRequest(this.#clock.now() + 100 * deadlineMs,",
      },
    ],
    test: {
      file: linkTest,
      name: "link: a request without an answer fails at its deadline, and the late answer harms nobody",
      says: /it took \d+/,
    },
  },
  {
    name: "failed-request-still-sent",
    breaks: "A request that has failed at its deadline is not delivered later.",
    edits: [{ file: link, find: "      this.#queue.takeBack(request);\n", replace: "" }],
    test: {
      file: linkTest,
      name: "link: what fails at its deadline while it waits is never delivered",
      says: /\+\s+1000,/,
    },
  },
  {
    name: "broken-link-told-as-late",
    breaks: "What is under way when a link breaks fails with peer_unreachable.",
    edits: [
      {
        file: link,
        find: '      request.fail(new OperatingError("peer_unreachable", `the link to',
        replace: '      request.fail(new OperatingError("deadline_exceeded", `the link to',
      },
    ],
    test: {
      file: linkTest,
      name: "link: one that breaks fails what is under way with peer_unreachable, and is made again",
      says: /\+\s+code: 'deadline_exceeded'/,
    },
  },
  {
    name: "broken-link-tells-nobody",
    breaks: "What is under way when a link breaks fails then.",
    edits: [
      {
        file: link,
        find: "    for (const request of this.#inFlight.takeAll()) {",
        replace: "    for (const request of this.#inFlight.takeAll().slice(1)) {",
      },
    ],
    test: {
      file: dutiesTest,
      name: "link: one that is closed on purpose fails what is under way, and its peer is dialled again",
      says: /\+ 'nothing'/,
    },
  },
  {
    name: "asks-without-limit",
    breaks: "Requests without an answer are bounded.",
    edits: [
      {
        file: link,
        find: "    if (this.#inFlight.size >= this.#settings.maxInFlight) {",
        replace: "    if (this.#inFlight.size < 0) {",
      },
    ],
    test: {
      file: linkTest,
      name: "link: more requests than may be under way are refused, at either end",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "handles-without-limit",
    breaks: "Requests that are being handled are bounded.",
    edits: [
      {
        file: link,
        find: "    if (this.#incoming >= this.#settings.maxIncoming) {",
        replace: "    if (this.#incoming < 0) {",
      },
    ],
    test: {
      file: linkTest,
      name: "link: more requests than may be under way are refused, at either end",
      says: /has not answered in time/,
    },
  },
  {
    name: "failures-take-room-for-ever",
    breaks: "A request that fails makes room for others.",
    edits: [
      {
        file: link,
        find: "        this.#incoming -= 1;\n        this.#answer(number, this.#refusalOf(error, request));",
        replace: "        this.#answer(number, this.#refusalOf(error, request));",
      },
    ],
    test: { file: linkTest, name: "link: requests that fail make room for others", says: /\+ 'overloaded'/ },
  },
  {
    name: "bug-told-to-the-peer",
    breaks: "What nobody foresaw is for the log alone.",
    edits: [
      {
        file: link,
        find: 'return refused("internal", "the request failed; see the log of the node that handled it");',
        replace: 'return refused("internal", String(error));',
      },
    ],
    test: {
      file: linkTest,
      name: "link: a handler that fails is answered with its code, and with internal for a bug, which is logged",
      says: /what nobody foresaw is for the log alone/,
    },
  },
  {
    name: "code-of-a-failure-lost",
    breaks: "A handler's failure is answered with its code.",
    edits: [
      {
        file: link,
        find: "    if (isOperatingError(error)) return refused(error.code, error.message);\n",
        replace: "",
      },
    ],
    test: {
      file: linkTest,
      name: "link: a handler that fails is answered with its code, and with internal for a bug, which is logged",
      says: /-\s+'buffer_full'/,
    },
  },
  {
    name: "queue-without-limit",
    breaks: "Bytes that wait for a peer are bounded.",
    edits: [
      {
        file: link,
        find: "    return this.#settings.maxQueueBytes + (privileged",
        replace: "    return 1e9 + this.#settings.maxQueueBytes + (privileged",
      },
    ],
    test: {
      file: linkTest,
      name: "link: a peer that does not read gets no more than the queue's limit, then all that was taken",
      says: /the queue has no limit/,
    },
  },
  {
    name: "unread-answers-pile-up",
    breaks: "A peer that does not read its answers loses the link.",
    edits: [
      {
        file: link,
        find: '      this.close("the peer does not read its answers");\n      return;',
        replace: "      return;",
      },
    ],
    test: {
      file: linkTest,
      name: "link: a peer that asks and does not read its answers loses it",
      says: /did not match the regular expression \/the peer does not read its answers\//,
    },
  },
  {
    name: "silence-not-noticed",
    breaks: "A link whose peer is silent is closed.",
    edits: [
      {
        file: link,
        find: '    if (this.#silentMs >= this.#settings.silenceMs) this.close("nothing was heard from the peer for too long");\n    else if',
        replace: "    if",
      },
    ],
    test: {
      file: lifeTest,
      name: "link: a peer that falls silent without closing is given up",
      says: /\+\s+code: 'deadline_exceeded'/,
    },
  },
  {
    name: "silence-not-broken",
    breaks: "An idle link is probed, so that it is not taken for dead.",
    edits: [{ file: link, find: "      this.#queue.control(frameKinds.probe, 0);\n", replace: "" }],
    test: {
      file: lifeTest,
      name: "link: an idle one is kept, and its ends do not take it for dead",
      says: /^\s*-\s+1,?$/m,
    },
  },
  {
    name: "pause-counted-as-silence",
    breaks: "While this process was paused, its peer was not silent.",
    edits: [
      {
        file: link,
        find: "    this.#silentMs += this.#settings.tickMs;",
        replace:
          "    const ticks = this as unknown as { atMs?: number };\n" +
          "    this.#silentMs += this.#clock.now() - (ticks.atMs ?? this.#clock.now());\n" +
          "    ticks.atMs = this.#clock.now();",
      },
    ],
    test: {
      file: lifeTest,
      name: "link: a process that was paused does not take its peers for silent",
      // Of a link that is lost, and perhaps up again.
      says: /-\s+1\b/,
    },
  },
  {
    name: "broken-protocol-passed-over",
    breaks: "A link on which the protocol is broken is closed.",
    edits: [
      {
        file: link,
        find: "this.close(`the peer broke the protocol: ",
        replace: "String(`the peer broke the protocol: ",
      },
    ],
    test: {
      file: trustTest,
      name: "link: a frame of no kind closes the link it came on, with a warning, and no other",
      says: /nothing was heard from the peer/,
    },
  },
];
