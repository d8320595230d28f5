/**
 * The kinds of trouble that a simulated world can have, and the mixtures of them that are explored. What each does is
 * in the file of its name; what none of them may do, because nothing would be promised then, is in `loss-budget.ts`.
 */

export const faultKinds = [
  /** Hosts have their first start while clients work. */
  "joins",
  /**
   * Processes leave in order, by a signal, by a command or because the configuration no longer names them, and come
   * back.
   */
  "leaves",
  /** Processes are stopped in order while they start. */
  "earlyStops",
  /** Processes come back with another weight. */
  "weights",
  /** Links break, go silent, become slow. */
  "links",
  /** Links let only small things through, for long. */
  "chokes",
  /** Links let small messages overtake large ones, by seconds. */
  "overtaking",
  /** Some hosts cannot reach some others: in groups, alone, in pairs, in one direction. */
  "partitions",
  /** A process ends at any instant, and comes back with what its disk has. */
  "crashes",
  /** All processes end at once, and what was not synced is lost or torn. */
  "power",
  /** A process ends and comes back on an empty disk. */
  "losses",
  /** A process is stopped for a while, or its host sleeps. */
  "pauses",
  /** Disks are slow, stuck, or fail, which ends the process. */
  "disks",
  /** The store is slow, failing, ambiguous, throttled, unsure or gone. */
  "store",
  /** The store refuses changes of a key for a while, and an operator gives up what it refuses. */
  "refusals",
  /** Clients have names, and little room for what the store refuses of them. */
  "shares",
  /** One host cannot reach the store, or waits for its answers. */
  "storeCuts",
  /** One host cannot reach the store for so long that the others relieve it of its keys. */
  "longCuts",
  /** The store refuses changes of the view's record for a while. */
  "viewRefusals",
  /** The view's record is removed from the store, and put back a while later. Meanwhile a process starts anew. */
  "viewLosses",
  /** Reading from the store takes as long as large objects take. */
  "slowReads",
  /** A read is answered late, when its key has gone to another primary and come back. */
  "lateReads",
  /** What a new primary sends ahead is large and comes late, when its key has moved on. */
  "lateCopies",
  /** Flushes land late, and who has sent them is lost meanwhile. */
  "lateFlushes",
  /** The only owner of all keys is lost with its disk, and an operator gives it up. */
  "forgets",
  /** Another process is started under the id of one that still runs. */
  "twins",
  /** Crashes, pauses and cuts at the very instants at which certain messages are sent or handled, or a view changes. */
  "ambushes",
  /** The link breaks just when the answer to a write is sent: its router asks again. */
  "lostAnswers",
  /** Misfortunes in an order that is too unlikely to come by chance. */
  "scripts",
  /** Both owners of a key lose power, and the only disk with a write comes back late. */
  "lateReturns",
  /** What a member does with all its keys it does a key or two at a time, and anything may come in between. */
  "slices",
  /** One node at a time is lost, under good conditions: nobody at another one may notice more than a pause (P4). */
  "oneLoss",
  /** Requests without an answer take effect at any time up to L after their call, while contents come and go. */
  "lateEffects",
  /** The store is gone, under good conditions: writes go on (P4). */
  "outage",
  /** A process ends, and its disk is as it was a while before. */
  "snapshots",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/**
 * These make worlds of their own: in some more is promised, a script needs a cluster that settles, overtaking needs
 * large values, and relief takes long.
 */
const ownWorlds: readonly FaultKind[] = [
  "oneLoss",
  "outage",
  "scripts",
  "lateReads",
  "lateCopies",
  "lateReturns",
  "refusals",
  "shares",
  "overtaking",
  "longCuts",
  "viewRefusals",
  "viewLosses",
  "earlyStops",
  "snapshots",
  "slices",
  "lateEffects",
];

/** Kinds that go with any others. */
export const mixedKinds: readonly FaultKind[] = faultKinds.filter((kind) => !ownWorlds.includes(kind));

/** Not those that make a whole world slow: nothing would ever be done, and so nothing could be wrong. */
const allAtOnce = mixedKinds.filter((kind) => kind !== "lateFlushes" && kind !== "slowReads");

/** The worlds that are explored by turns. In `mixed` the seed chooses some of the kinds. */
export const profiles = {
  healthy: [],
  members: ["joins", "leaves", "weights"],
  "members+store": ["joins", "leaves", "weights", "store"],
  "members+crashes": ["joins", "leaves", "weights", "crashes"],
  "members+pauses": ["joins", "leaves", "weights", "pauses", "storeCuts"],
  links: ["links"],
  store: ["store"],
  crashes: ["crashes"],
  "crashes+store": ["crashes", "store"],
  power: ["power", "crashes"],
  "power+disks": ["power", "crashes", "disks", "losses"],
  losses: ["losses"],
  "losses+chokes": ["losses", "chokes", "crashes"],
  pauses: ["pauses"],
  partitions: ["partitions"],
  isolation: ["partitions", "storeCuts", "pauses"],
  lines: ["partitions", "storeCuts"],
  twins: ["twins", "partitions"],
  lateFlushes: ["lateFlushes"],
  lateEffects: ["lateEffects"],
  "lateEffects+crashes": ["lateEffects", "crashes", "leaves"],
  "lateEffects+members": ["lateEffects", "joins", "leaves", "weights", "partitions"],
  "lateEffects+power": ["lateEffects", "power"],
  swings: ["slowReads", "leaves"],
  lateReads: ["lateReads"],
  failures: ["partitions", "crashes", "losses", "leaves"],
  disks: ["disks"],
  cuts: ["storeCuts", "store"],
  ambushes: ["ambushes"],
  forgets: ["forgets", "crashes", "store"],
  "forgets+lateEffects": ["forgets", "lateEffects", "crashes", "leaves"],
  scripts: ["scripts"],
  retries: ["lostAnswers", "leaves"],
  oneLoss: ["oneLoss"],
  outage: ["outage"],
  mixed: "some",
  all: allAtOnce,
  refusals: ["refusals"],
  "refusals+store": ["refusals", "store", "crashes", "pauses", "leaves"],
  "refusals+retries": ["refusals", "lostAnswers"],
  "refusals+failures": ["refusals", "crashes", "losses", "partitions", "storeCuts", "joins"],
  /** In these most values are too large to be buffered. */
  large: ["crashes", "pauses", "store", "leaves"],
  "large+losses": ["losses", "partitions", "store", "storeCuts"],
  "large+late": ["lateFlushes"],
  "large+scripts": ["scripts"],
  "large+lateEffects": ["lateEffects", "crashes"],
  "large+refusals": ["refusals", "crashes", "store"],
  lateReturns: ["lateReturns"],
  lateCopies: ["lateCopies"],
  overtaking: ["overtaking", "joins", "leaves", "crashes"],
  relief: ["longCuts", "crashes", "leaves"],
  viewRefusals: ["viewRefusals", "crashes", "losses", "leaves", "joins"],
  earlyStops: ["earlyStops", "leaves", "crashes", "store"],
  viewLosses: ["viewLosses"],
  snapshots: ["snapshots"],
  slices: ["slices", "joins", "leaves", "crashes"],
  "slices+failures": ["slices", "partitions", "crashes", "losses", "leaves"],
  "slices+power": ["slices", "power", "crashes", "disks", "weights"],
  "slices+lateEffects": ["slices", "lateEffects", "crashes", "leaves", "joins"],
  "slices+store": ["slices", "store", "storeCuts", "pauses", "leaves"],
  "refusals+shares": ["refusals", "shares", "lostAnswers", "crashes"],
  /** In these some clients send large values in parts of their own, through any members. */
  parted: ["crashes", "pauses", "store", "leaves"],
  "parted+members": ["joins", "leaves", "weights", "links"],
  "parted+losses": ["losses", "partitions", "store", "storeCuts"],
  "parted+lateEffects": ["lateEffects", "crashes"],
  "parted+retries": ["lostAnswers", "leaves", "store"],
} as const satisfies Record<string, readonly FaultKind[] | "some">;
export type Profile = keyof typeof profiles;
export const profileNames = Object.keys(profiles) as Profile[];
