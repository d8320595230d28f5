/**
 * From a seed to a plan: how large a world is, what its clients do and which faults befall it. All that is random about
 * a scenario's shape is drawn here, so that a plan can be printed and read before its run.
 */

import type { SliceSettings } from "../../src/base/slices.ts";
import { footprint, noHeaders } from "../../src/core/entry.ts";
import type { JournalSettings } from "../../src/journal/file-journal.ts";
import type { MemberSettings } from "../../src/member/settings.ts";
import { wholeSlices } from "../harness/key-fixtures.ts";
import { SimRandom } from "../harness/sim-random.ts";
import { type FaultKind, mixedKinds, type Profile, profileNames, profiles } from "./fault-kinds.ts";
import type { SimClockSettings } from "./sim-process.ts";

/** After an operation a client rests so often, instead of only thinking. */
export const restChance = 0.15;

/** Small, because a ring of few points is made much faster, and views change all the time here. */
export const plainWeight = 1 / 64;

export interface HostPlan {
  readonly id: string;
  /** When it first starts, in virtual milliseconds; the first is there from the beginning. */
  readonly startMs: number;
  readonly weight: number;
  readonly zone: string | undefined;
  readonly settings: MemberSettings;
}

export interface ScenarioPlan {
  readonly seed: number;
  readonly profile: string;
  readonly faults: readonly FaultKind[];
  readonly hosts: readonly HostPlan[];
  /** Whether the processes keep a journal; without, each process start is a data folder of its own. */
  readonly journal: boolean;
  readonly journalSettings: JournalSettings;
  /** Whether a process whose journal fails goes on with another one. It ends otherwise, and is started again. */
  readonly goesOn?: boolean;
  /** Whether the configuration of each host names also those that start after it. */
  readonly knowsLater: boolean;
  readonly clocks: SimClockSettings;
  readonly keys: readonly string[];
  /** Keys whose object is in the store before the cluster is. */
  readonly inherited: readonly string[];
  readonly clients: number;
  /** The clients' work ends after so many operations, or after so long. */
  readonly operations: number;
  readonly workMs: number;
  /** Between an answer and the same client's next call, on average: now and then a client rests. */
  readonly meanThinkMs: number;
  readonly meanRestMs: number;
  readonly maxValueBytes: number;
  /** Larger ones are not buffered; undefined where none are larger. */
  readonly bufferedBytes: number | undefined;
  readonly ignoresCompleteConditions: boolean;
  /** Whether some clients send values in parts of their own. */
  readonly isParted: boolean;
  /** See `SimUploadModes`. */
  readonly joinsParts: boolean;
  readonly remembersCompletions: boolean;
  /** Parts of all operations. */
  readonly readShare: number;
  readonly deleteShare: number;
  readonly conditionalShare: number;
  /** Part of the writes that are answered only once the store has them. */
  readonly storedShare: number;
  /** Part of the puts that bring back an earlier content of the key. */
  readonly repeatShare: number;
  readonly uniqueTags: boolean;
  readonly ignoresRemoveConditions: boolean;
  readonly racesRemovals: boolean;
  readonly storeLatencyMs: number;
  /** See `StoreFaultSettings`. */
  readonly storeQueueMs: number;
  readonly storeBodyMs: number;
  readonly networkLatencyMs: number;
  /** Mean time between two faults, or two of a burst. */
  readonly meanFaultMs: number;
  /** Whether faults come in bursts, each on a cluster that has settled, or at any time. */
  readonly hasBursts: boolean;
  /** Whether the buffers are so small that they fill. */
  readonly crowded: boolean;
  /** Mean time between two listings of all keys; without it there are none. */
  readonly listMs?: number;
  /**
   * What happens when the clients have finished: all processes lose power at once, all are stopped in order at the very
   * end, or neither.
   */
  readonly ending: "calm" | "power" | "stop";
}

export function planFor(seed: number, chosen?: Profile | readonly FaultKind[]): ScenarioPlan {
  const random = new SimRandom(seed).fork("plan");
  const drawn = random.chance(0.3) ? "mixed" : random.pick(profileNames);
  const profile = typeof chosen === "string" ? chosen : chosen === undefined ? drawn : chosen.join("+");
  const faults = faultsOf(random, chosen === undefined || typeof chosen === "string" ? (profile as Profile) : chosen);
  const isStrict = faults.includes("oneLoss") || faults.includes("outage");
  // What only the store has must not be gone because an older request came over it.
  const isSure = faults.includes("forgets");
  const isReturning = faults.includes("lateReturns");
  const isBroughtBack = faults.includes("snapshots");
  const needsDisks = faults.includes("power") || faults.includes("disks") || isReturning || isBroughtBack;
  const journal = needsDisks || random.chance(0.6);
  const clients = random.whole(2, 8);
  const crowded = !isStrict && random.chance(0.1);
  // A late request is most dangerous where the key comes and goes.
  const isLate = faults.includes("lateFlushes");
  const hasLateEffects = faults.includes("lateEffects");
  const losesAnswers = faults.includes("lostAnswers") || profile === "large+scripts";
  // The others are to see that the store takes what they send.
  const isRelieved = faults.includes("longCuts");
  // What all keys take must not fit into one slice.
  const isSliced = faults.includes("slices");
  // By small messages, of those that go in fragments.
  const isOvertaking = faults.includes("overtaking") || faults.includes("lateCopies");
  const comesAndGoes =
    isLate || hasLateEffects || isReturning || isBroughtBack || isOvertaking || profile === "large+scripts";
  const keys = Array.from(
    { length: isRelieved || isSliced ? 6 : random.pick(losesAnswers || isLate ? [1, 1, 2] : [1, 1, 2, 2, 3]) },
    (_, index) => `k${index}`,
  );
  const maxValueBytes = isOvertaking ? 4_000 : random.pick([30, 300, 3_000]);
  const storeLatencyMs = random.pick(isStrict || hasLateEffects ? [2, 20] : [2, 20, 100]);
  const operations = random.whole(80, 160);
  const workMs = isRelieved
    ? 60_000
    : isReturning || isBroughtBack
      ? 50_000
      : faults.length === 0
        ? 3_000
        : random.between(2_000, isStrict ? 20_000 : 12_000);
  const isParted = profile.startsWith("parted");
  const parted = random.fork("parted");
  const bufferedBytes = isParted || profile.startsWith("large") ? Math.floor(maxValueBytes / 2) : undefined;
  const hosts = drawHosts(random, { faults, crowded, maxValueBytes, bufferedBytes, isParted, storeLatencyMs });
  return {
    seed,
    profile,
    faults,
    hosts,
    journal,
    journalSettings: {
      segmentBytes: random.pick([2_000, 20_000, 1_000_000]),
      liveLimitBytes: 4 * Math.max(...hosts.map(({ settings }) => settings.admission.dirtyBytes)),
      repeatedAtOnce: random.fork("journal").pick([3, 1_000]),
    },
    // Who starts anew without a view asks the nodes that it knows.
    knowsLater: random.chance(0.5) || faults.includes("viewLosses"),
    clocks: { maxRateError: random.pick([0.001, 0.01, 0.024, 0.024]), maxTimerDelayMs: random.pick([1, 1, 5]) },
    keys,
    inherited: keys.filter(() => random.chance(0.3)),
    clients,
    operations,
    workMs,
    meanThinkMs: random.pick([1, 5, 30, 100]),
    // So that the operations last as long as the work, in bursts.
    meanRestMs: (workMs * clients) / operations / restChance,
    maxValueBytes,
    bufferedBytes,
    ignoresCompleteConditions: random.fork("large").chance(0.7),
    isParted,
    joinsParts: parted.chance(0.4),
    remembersCompletions: parted.chance(0.5),
    readShare: random.between(0.2, 0.6),
    deleteShare: isSure
      ? 0
      : comesAndGoes
        ? random.between(0.3, 0.5)
        : random.pick([0, random.between(0, 0.3), random.between(0, 0.3)]),
    conditionalShare: random.pick(losesAnswers ? [0.3, 0.6] : [0, 0.2, 0.5]),
    // What needs the store waits as long as that does, which a strict world has no time for.
    storedShare: isStrict ? 0 : random.fork("stored").pick([0, 0, 0, 0.05, 0.2]),
    repeatShare: hasLateEffects ? random.between(0.3, 0.8) : random.pick([0, 0, 0.1]),
    uniqueTags: isSure || random.chance(0.3),
    ignoresRemoveConditions: random.chance(0.3) || (profile === "large+scripts" && seed % 2 === 0),
    racesRemovals: hasLateEffects && random.fork("races").chance(0.5),
    storeLatencyMs,
    storeQueueMs: faults.length === 0 || isStrict ? 0 : random.pick([0, 0, 5, 100]),
    storeBodyMs: faults.includes("slowReads") ? random.pick([300, 1_000, 2_000]) : 0,
    networkLatencyMs: random.pick(isStrict ? [0.2, 1] : [0.2, 1, 10]),
    meanFaultMs: isRelieved
      ? random.pick([8_000, 12_000, 25_000])
      : random.pick(losesAnswers ? [200, 600] : [200, 600, 1_500, 4_000]),
    hasBursts: random.chance(0.5),
    crowded,
    ending: drawEnding(random, journal, faults),
  };
}

function faultsOf(random: SimRandom, chosen: Profile | readonly FaultKind[]): readonly FaultKind[] {
  const kinds = typeof chosen === "string" ? profiles[chosen] : chosen;
  if (kinds !== "some") return kinds;
  const count = random.whole(1, 5);
  return random.shuffle(mixedKinds).slice(0, count);
}

function drawEnding(random: SimRandom, journal: boolean, faults: readonly FaultKind[]): ScenarioPlan["ending"] {
  const luck = random.next();
  // A twin that is gone may have left a view behind which takes another one's place, and which nobody has noticed yet.
  if (luck < 0.2) return faults.includes("twins") ? "calm" : "stop";
  return luck < 0.4 && journal ? "power" : "calm";
}

/** L, in deadlines of a second. */
const lateEffectDeadlines = 30;

/** F by the slowest clock, in virtual milliseconds. */
export function longestFlushMs({ hosts }: ScenarioPlan): number {
  return 1.1 * Math.max(...hosts.map(({ settings }) => settings.flushDeadlineMs));
}

/** L by the slowest clock, in virtual milliseconds; 0 where no effect comes later than F. */
export function longestLateMs({ faults, hosts }: ScenarioPlan): number {
  if (!faults.includes("lateEffects")) return 0;
  return 1.1 * Math.max(...hosts.map(({ settings }) => settings.lateEffectMs));
}

/** Of uploads: a few for the largest value. */
export function partBytesOf(maxValueBytes: number): number {
  return Math.ceil(maxValueBytes / 4);
}

interface HostsShape {
  readonly faults: readonly FaultKind[];
  readonly crowded: boolean;
  readonly maxValueBytes: number;
  readonly bufferedBytes: number | undefined;
  readonly isParted: boolean;
  readonly storeLatencyMs: number;
}

function drawHosts(random: SimRandom, shape: HostsShape): HostPlan[] {
  const { faults } = shape;
  const isStrict = faults.includes("oneLoss") || faults.includes("outage");
  const grows = faults.includes("joins");
  const isLonely = faults.includes("forgets");
  const isScripted = faults.includes("scripts") || faults.includes("lateReturns") || faults.includes("lateCopies");
  // Of two nodes, one that finds no link soon goes on alone: then nobody is there to tell it.
  const isBroughtBack = faults.includes("snapshots");
  const isMany = grows || faults.includes("partitions");
  const counts = isStrict
    ? [2, 3, 3, 4]
    : isLonely
      ? [1, 1, 2]
      : isScripted || isBroughtBack || faults.includes("longCuts")
        ? [3, 3, 4]
        : isMany
          ? [2, 3, 3, 4, 5, 7]
          : [1, 2, 2, 3, 3, 3, 4, 5, 6, 7];
  const count = random.pick(counts);
  const replicas = random.pick(isScripted ? [2] : isStrict || isLonely ? [2, 2, 2, 3] : [1, 2, 2, 2, 2, 3]);
  const settings = drawSettings(random, shape, replicas);
  const isZoned = random.chance(0.15);
  const areWeighted = random.chance(0.2);
  // Hosts that own nothing, beside at least one that does; not where a world is about the loss of one owner, or of the
  // only one.
  const routers = random.fork("routers");
  const haveRouters = !isStrict && !isLonely && count > 1 && routers.chance(0.15);
  const owner = routers.whole(0, count - 1);
  const weightOf = (): number => plainWeight * (areWeighted ? random.pick([0.5, 1, 3]) : 1);
  // Only what the view says may count: here the hosts' own files say something else.
  const areAstray = !isStrict && random.chance(0.1);
  return Array.from({ length: count }, (_, index) => ({
    id: String.fromCharCode("a".charCodeAt(0) + index),
    startMs: index === 0 ? 0 : random.between(0, grows && random.chance(0.7) ? 6_000 : 100),
    weight: haveRouters && index !== owner && routers.chance(0.5) ? 0 : weightOf(),
    zone: isZoned ? random.pick(["x", "y", "z"]) : undefined,
    settings: areAstray
      ? {
          ...settings,
          replicas: random.whole(1, 3),
          leaseMs: random.pick([600, 1_000, 2_000]),
          flushDeadlineMs: Math.max(random.pick([1_000, 3_000]), 30 * shape.storeLatencyMs),
        }
      : settings,
  }));
}

/** The longer the pauses, the more comes in between: another view, too. */
function drawSlices(random: SimRandom): SliceSettings {
  return { items: random.pick([1, 1, 2]), pauseMs: random.pick([0, 2, 20, 50]) };
}

function drawSettings(random: SimRandom, shape: HostsShape, replicas: number): MemberSettings {
  const { faults, crowded, maxValueBytes, storeLatencyMs } = shape;
  const isStrict = faults.includes("oneLoss") || faults.includes("outage");
  const isLate = faults.includes("lateFlushes");
  const isSlow = faults.includes("slowReads") || faults.includes("lateReads");
  return {
    cluster: "sim",
    replicas,
    // A healthy store answers in time: 30 times the mean of an exponential distribution.
    flushDeadlineMs: Math.max(
      random.pick(
        isLate ? [3_000] : faults.includes("lateEffects") ? [1_000] : isSlow ? [10_000] : [1_000, 1_000, 3_000, 10_000],
      ),
      30 * storeLatencyMs,
    ),
    // So long that a run sees it pass; elsewhere no effect comes later than F.
    lateEffectMs: faults.includes("lateEffects") ? lateEffectDeadlines * 1_000 : 0,
    leaseMs: isStrict ? 1_000 : random.pick([600, 1_000, 1_000, 2_000]),
    suspectMs: isStrict ? 800 : random.pick([600, 800, 800, 1_500]),
    // A crowded buffer holds a few values of the largest size.
    admission: {
      dirtyBytes: crowded ? 4 * footprint({ key: "k0", size: maxValueBytes, headers: noHeaders }) : 10_000_000,
      // Room for one small value that the store refuses, and for another.
      refusedBytes: faults.includes("shares") ? 3 * footprint({ key: "k0", size: 0, headers: noHeaders }) : 10_000_000,
      waitMs: random.pick([50, 2_000]),
    },
    maxDirtyAgeMs: 0,
    journaled: true,
    cacheBytes: random.pick([0, 2_000, 1_000_000]),
    maxValueBytes: shape.bufferedBytes ?? 100_000,
    large: {
      maxValueBytes: 100_000,
      partBytes: partBytesOf(maxValueBytes),
      inFlightBytes: 1_000_000,
      uploads: 16,
      // The store's date is years before the hosts'. What a client may yet complete must not be too old for that.
      leftoverMs: shape.isParted ? Number.MAX_SAFE_INTEGER : 3_600_000,
    },
    flush: {
      // In scripted worlds values stay in the buffers for long.
      delayMs: random.pick(
        faults.includes("scripts")
          ? [0, 2_000]
          : faults.includes("overtaking") || faults.includes("lateCopies")
            ? [100, 500, 2_000]
            : [0, 0, 10, 100],
      ),
      pace: { initialConcurrency: random.whole(1, 4), maxConcurrency: random.whole(4, 64) },
      backoff: { minMs: 50, maxMs: 1_000 },
    },
    operationMs: 10_000,
    pingMs: 200,
    slices: faults.includes("slices") ? drawSlices(random.fork("slices")) : wholeSlices,
    viewCheckMs: faults.includes("viewLosses") ? 600 : 60_000,
    stopMs: 60_000,
  };
}
