/** Planted bugs of the way from cluster.json to the parts of a node, and of the system's clock and chance. */

import type { GlueBug } from "./glue-bug.ts";

const settings = "src/node-settings.ts";
const system = "src/system.ts";
const settingsTest = "test/unit/node-settings.test.ts";
const systemTest = "test/unit/system.test.ts";

export const settingsBugs: readonly GlueBug[] = [
  {
    name: "lease-and-suspicion-swapped",
    breaks: "T is peers.leaseMs, and D is peers.suspectMs.",
    edits: [
      {
        file: settings,
        find: "    leaseMs: config.peers.leaseMs,\n    suspectMs: config.peers.suspectMs,",
        replace: "    leaseMs: config.peers.suspectMs,\n    suspectMs: config.peers.leaseMs,",
      },
    ],
    test: {
      file: settingsTest,
      name: "each setting of a member is the one of its name, in its unit",
      says: /\+\s+leaseMs: 922,/,
    },
  },
  {
    name: "flush-deadline-divided-by-ten",
    breaks: "F is flush.deadlineMs.",
    edits: [
      {
        file: settings,
        find: "flushDeadlineMs: flush.deadlineMs,",
        replace: "flushDeadlineMs: flush.deadlineMs / 10,",
      },
    ],
    test: {
      file: settingsTest,
      name: "each setting of a member is the one of its name, in its unit",
      says: /\+\s+flushDeadlineMs: 701\.6,/,
    },
  },
  {
    name: "replicas-not-passed",
    breaks: "R is replicas.",
    edits: [{ file: settings, find: "    replicas: config.replicas,", replace: "    replicas: 2," }],
    test: {
      file: settingsTest,
      name: "each setting of a member is the one of its name, in its unit",
      says: /\+\s+replicas: 2,/,
    },
  },
  {
    name: "journal-taken-for-off",
    breaks: "A member knows whether it has a journal.",
    edits: [{ file: settings, find: 'config.journal !== "off"', replace: 'config.journal === "off"' }],
    test: {
      file: settingsTest,
      name: "each setting of a member is the one of its name, in its unit",
      says: /\+\s+journaled: true,/,
    },
  },
  {
    name: "retries-swapped",
    breaks: "Retries begin with flush.retryMinMs, and end at flush.retryMaxMs.",
    edits: [
      {
        file: settings,
        find: "{ minMs: flush.retryMinMs, maxMs: flush.retryMaxMs }",
        replace: "{ minMs: flush.retryMaxMs, maxMs: flush.retryMinMs }",
      },
    ],
    test: {
      file: settingsTest,
      name: "each setting of a member is the one of its name, in its unit",
      says: /\+\s+maxMs: 118,/,
    },
  },
  {
    name: "age-limit-left-out",
    breaks: "The setting buffer.maxDirtyAgeMs bounds how long the store may lack a value.",
    edits: [{ file: settings, find: "maxDirtyAgeMs: buffer.maxDirtyAgeMs,", replace: "maxDirtyAgeMs: 0," }],
    test: {
      file: settingsTest,
      name: "each setting of a member is the one of its name, in its unit",
      says: /\+\s+maxDirtyAgeMs: 0,/,
    },
  },
  {
    name: "refused-values-may-fill-the-buffer",
    breaks: "The setting buffer.refusedBytes bounds what the store refuses.",
    edits: [{ file: settings, find: "refusedBytes: buffer.refusedBytes", replace: "refusedBytes: buffer.dirtyBytes" }],
    test: {
      file: settingsTest,
      name: "each setting of a member is the one of its name, in its unit",
      says: /\+\s+refusedBytes: 100003000,/,
    },
  },
  {
    name: "buffer-and-cache-swapped",
    breaks: "The setting buffer.dirtyBytes bounds what the store lacks.",
    edits: [
      {
        file: settings,
        find: "dirtyBytes: buffer.dirtyBytes, refusedBytes",
        replace: "dirtyBytes: buffer.cacheBytes, refusedBytes",
      },
    ],
    test: {
      file: settingsTest,
      name: "each setting of a member is the one of its name, in its unit",
      says: /\+\s+dirtyBytes: 60006000,/,
    },
  },
  {
    name: "redials-swapped",
    breaks: "Redials begin with peers.redialMinMs, and end at peers.redialMaxMs.",
    edits: [
      {
        file: settings,
        find: "    redialMinMs,\n    redialMaxMs,\n    maxQueueBytes,\n    maxInFlight,\n    receive: {",
        replace:
          "    redialMinMs: redialMaxMs,\n    redialMaxMs: redialMinMs,\n    maxQueueBytes,\n    maxInFlight,\n    receive: {",
      },
    ],
    test: {
      file: settingsTest,
      name: "each setting of the links is the one of its name, in its unit",
      says: /\+\s+redialMaxMs: 56,/,
    },
  },
  {
    name: "link-silence-not-passed",
    breaks: "A link is closed after peers.silenceMs.",
    edits: [
      {
        file: settings,
        find: "    ...defaultLinkSettings,\n    silenceMs,\n",
        replace: "    ...defaultLinkSettings,\n",
      },
    ],
    test: {
      file: settingsTest,
      name: "each setting of the links is the one of its name, in its unit",
      says: /\+\s+silenceMs: 3000,/,
    },
  },
  {
    name: "own-limit-for-values-of-peers",
    breaks: "A link takes the largest value that any node may hold.",
    edits: [
      { file: settings, find: "payloadBytes: largestBufferedBytes,", replace: "payloadBytes: buffer.maxValueBytes," },
    ],
    test: {
      file: settingsTest,
      name: "links take the largest values that any node may hold, whatever this one's own limit is",
      says: /1000 !== 67108864/,
    },
  },
  {
    name: "body-limits-swapped",
    breaks: "Values up to buffer.maxValueBytes are buffered, larger ones streamed.",
    edits: [
      {
        file: settings,
        find: "    maxValueBytes: config.buffer.maxValueBytes,\n    maxStreamBytes: config.large.maxValueBytes,",
        replace: "    maxValueBytes: config.large.maxValueBytes,\n    maxStreamBytes: config.buffer.maxValueBytes,",
      },
    ],
    test: {
      file: settingsTest,
      name: "each setting of the HTTP server is the one of its name, in its unit",
      says: /\+\s+maxStreamBytes: 2007000,/,
    },
  },
  {
    name: "connections-beyond-the-systems-limit",
    breaks: "A node serves no more connections than it may have files open.",
    edits: [
      {
        file: settings,
        find: "Math.min(config.http.connections, openFiles - others)",
        replace: "config.http.connections",
      },
    ],
    test: {
      file: settingsTest,
      name: "a node serves as many connections as files that may be open leave room for, and none with too few",
      says: /2000 !== 1999/,
    },
  },
  {
    name: "store-keys-swapped",
    breaks: "A store is signed for with its own keys.",
    edits: [
      {
        file: settings,
        find: "    accessKeyId: accessKeyId?.reveal(),\n    secretAccessKey: secretAccessKey?.reveal(),",
        replace: "    accessKeyId: secretAccessKey?.reveal(),\n    secretAccessKey: accessKeyId?.reveal(),",
      },
    ],
    test: {
      file: settingsTest,
      name: "a store gets its secrets and everything else that is set, and connections for all that may be under way",
      says: /\+\s+accessKeyId: 'the-other'/,
    },
  },
  {
    name: "store-connections-too-few",
    breaks: "A store has connections for all that may be under way.",
    edits: [
      {
        file: settings,
        find: "flush.concurrency + large.uploads * partsUnderWay + large.downloads + readConnections;\n  if",
        replace: "readConnections;\n  if",
      },
    ],
    test: {
      file: settingsTest,
      name: "a store gets its secrets and everything else that is set, and connections for all that may be under way",
      says: /connections >= fewer\.connections/,
    },
  },
  {
    name: "wall-clock-for-the-monotonic",
    breaks: "A lease goes by a clock that nobody can set.",
    edits: [{ file: system, find: "now: () => performance.now(),", replace: "now: () => Date.now()," }],
    test: {
      file: systemTest,
      name: "the system's clock does not move when the time of day is set, and its wall clock does",
      says: /an instant has moved with the time of day/,
    },
  },
  {
    name: "monotonic-clock-for-the-wall",
    breaks: "A pause that the monotonic clock does not see is seen by the wall clock.",
    edits: [
      {
        file: system,
        find: "wallMs: () => Date.now(),",
        replace: "wallMs: () => performance.timeOrigin + performance.now(),",
      },
    ],
    test: {
      file: systemTest,
      name: "the system's clock does not move when the time of day is set, and its wall clock does",
      says: /the wall clock has not moved with the time of day/,
    },
  },
  {
    name: "timer-not-cancelled",
    breaks: "A timer that is cancelled never runs out.",
    edits: [
      {
        file: system,
        find: "return { cancel: () => clearTimeout(timer) };",
        replace: "return { cancel: () => void timer };",
      },
    ],
    test: {
      file: systemTest,
      name: "a timer of the system's clock runs out once, not before its time, and never when it is cancelled",
      says: /\+\s+'cancelled'/,
    },
  },
  {
    name: "ids-that-can-be-predicted",
    breaks: "A nonce can't be predicted.",
    edits: [
      {
        file: system,
        find: 'id: () => randomBytes(16).toString("hex"),',
        replace:
          'id: () => randomBytes(1).toString("hex").repeat(4) + Math.random().toString(16).slice(2).padEnd(24, "0").slice(0, 24),',
      },
    ],
    test: {
      file: systemTest,
      name: "the system's ids are 32 hexadecimal digits that nobody can predict, whatever its plain chance gives",
      says: /\d+ !== 100/,
    },
  },
  {
    name: "hard-limit-of-files-taken",
    breaks: "A process may have as many files open as its soft limit says.",
    edits: [
      {
        file: system,
        find: "userLimits?.open_files?.soft;",
        replace: "(userLimits?.open_files as { hard?: number | string } | undefined)?.hard;",
      },
    ],
    test: {
      file: systemTest,
      name: "a process may have as many files open as the system's soft limit says, and any number where it says none",
      says: /4096 !== 1024/,
    },
  },
];
