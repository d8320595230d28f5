/**
 * Which lane of a whole run each file of tests goes in, and what goes first in it: what takes long must not begin last.
 * A file that is not named here is one of the busy ones, after those that are.
 */

/** Tests with real processes and clocks that keep a processor busy, the longest first. */
const longBusy: readonly string[] = [
  "test/integration/cluster-s3-clients.test.ts",
  "test/integration/http-fuzz.test.ts",
  "test/integration/operators-day.test.ts",
  "test/integration/bench.test.ts",
  "test/integration/cli-copy.test.ts",
  "test/integration/drop-command.test.ts",
  "test/integration/dev.test.ts",
  "test/integration/cluster-failover.test.ts",
  "test/integration/cluster-drain.test.ts",
  "test/integration/cluster-stops.test.ts",
];

/** Tests that wait for stores and deadlines most of the time, the longest first. */
const waiting: readonly string[] = [
  "test/integration/cluster-late-gateway.test.ts",
  "test/chaos/chaos.test.ts",
  "test/conformance/azure-store.test.ts",
  "test/integration/build.test.ts",
  "test/integration/cluster-late-effects.test.ts",
  "test/integration/cluster-value-limit.test.ts",
  "test/integration/cluster-soak.test.ts",
  "test/integration/cluster-age.test.ts",
  "test/integration/compose.test.ts",
];

/** Tests with real processes, but for moments. At the end of the small ones' lane none of them runs alone last. */
export const shortReal: readonly string[] = [
  "test/integration/dashboard.test.ts",
  "test/integration/flush-command.test.ts",
  "test/integration/health-command.test.ts",
  "test/integration/openapi.test.ts",
  "test/integration/status-command.test.ts",
];

/** Planted bugs in short processes, and units in the tests' own: these take longest, or are of a group that does. */
const longSmall: readonly string[] = ["test/glue/glue-bugs.test.ts", "test/unit/journal/journal-random.test.ts"];

/** Simulations take only processor time; these take most of it. */
const longSimulated: readonly string[] = [
  "test/simulation/simulation.test.ts",
  "test/simulation/mutations.test.ts",
  "test/simulation/early-stop.test.ts",
];

/** All that begins before the others of its lane. */
export const plannedFiles: readonly string[] = [...longBusy, ...waiting, ...longSmall, ...longSimulated];

export interface LanePlan {
  readonly busy: readonly string[];
  readonly waiting: readonly string[];
  /** Those that start no node, or only for moments: one file at a time. */
  readonly small: readonly string[];
  readonly simulation: readonly string[];
}

/** @param files - from the root, with forward slashes */
export function planLanes(files: readonly string[]): LanePlan {
  const of = (folder: string): string[] => files.filter((file) => file.startsWith(`test/${folder}/`));
  const isWaiting = (file: string): boolean => waiting.includes(file) || file.startsWith("test/conformance/");
  /** Links are tested within one process. */
  const isShort = (file: string): boolean => shortReal.includes(file) || file.startsWith("test/integration/link-");
  const real = files.filter((file) => !/^test\/(?:unit|glue|simulation)\//.test(file));
  return {
    busy: first(
      longBusy,
      real.filter((file) => !isWaiting(file) && !isShort(file)),
    ),
    waiting: first(waiting, real.filter(isWaiting)),
    small: first(longSmall, [...of("glue"), ...of("unit"), ...real.filter(isShort)]),
    simulation: first(longSimulated, of("simulation")),
  };
}

/** The same files, those that are named before the others and in their order. */
function first(named: readonly string[], files: readonly string[]): string[] {
  return [...named.filter((file) => files.includes(file)), ...files.filter((file) => !named.includes(file))];
}
