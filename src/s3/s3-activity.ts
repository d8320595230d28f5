/** What the server's counts tell of its S3 requests. */

import type { S3Activity } from "../core/status.ts";
import type { RouteMetrics } from "../http/server/metrics.ts";

/** What the name of each S3 route begins with in metrics. */
export const s3RoutePrefix = "s3:";

interface Counted {
  readonly route: string;
  readonly metrics: Pick<RouteMetrics, "statuses">;
}

/** Undefined before the first request. */
export function s3Activity(routes: Iterable<Counted>): S3Activity | undefined {
  const counts = new Map<string, number>();
  let [requests, denied, failed] = [0, 0, 0];
  for (const { route, metrics } of routes) {
    if (!route.startsWith(s3RoutePrefix)) continue;
    const operation = route.slice(s3RoutePrefix.length);
    for (const [status, count] of metrics.statuses) {
      counts.set(operation, (counts.get(operation) ?? 0) + count);
      requests += count;
      if (status === 403) denied += count;
      if (status >= 500) failed += count;
    }
  }
  if (requests === 0) return undefined;
  const frequent = [...counts].toSorted(([, one], [, other]) => other - one);
  return { requests, denied, failed, operations: Object.fromEntries(frequent) };
}
