/** All that the bench measures, each by a name under which it is chosen. */

import { compareFlush } from "./flush.ts";
import { compareFlushLatency } from "./flush-latency.ts";
import { compareFolder } from "./folder.ts";
import { measureJournal } from "./journal.ts";
import { measureLargeValue } from "./large-value.ts";
import { measureLink } from "./link.ts";
import { measureMemory } from "./memory.ts";
import { compareWithRedis } from "./redis.ts";
import type { Row } from "./report.ts";
import type { Settings } from "./rounds.ts";
import { measureRouting } from "./routing.ts";
import { compareS3 } from "./s3-front.ts";
import { compareS3Servers } from "./s3-servers.ts";
import { measureStart } from "./start.ts";
import { compareValues } from "./values.ts";

export interface Comparison {
  /** Programs that it needs beside Node, by the Debian packages that have them. */
  readonly needs: readonly string[];
  run(settings: Settings): Row[] | Promise<Row[]>;
}

export const comparisons: Readonly<Record<string, Comparison>> = {
  values: {
    needs: ["wrk"],
    run: (settings) =>
      compareValues(settings, {
        label: "1 KiB",
        bytes: 1_024,
        keys: 10_000,
        targets: { get: 0.85, getThroughAnother: 0.6 },
      }),
  },
  large: {
    needs: ["wrk"],
    run: (settings) =>
      compareValues(settings, { label: "64 KiB", bytes: 65_536, keys: 1_000, targets: { get: 0.7, put: 0.5 } }),
  },
  s3: { needs: ["wrk"], run: compareS3 },
  "s3-servers": { needs: ["wrk"], run: compareS3Servers },
  gibibyte: { needs: [], run: measureLargeValue },
  redis: { needs: ["redis-server"], run: compareWithRedis },
  flush: { needs: [], run: compareFlush },
  latency: { needs: [], run: compareFlushLatency },
  folder: { needs: [], run: compareFolder },
  memory: { needs: [], run: measureMemory },
  start: { needs: [], run: measureStart },
  routing: { needs: [], run: measureRouting },
  link: { needs: [], run: measureLink },
  journal: { needs: [], run: measureJournal },
};
