/**
 * What the server for clients counts: requests by route, method and status, and how long they took. These are plain
 * numbers. Other parts read and expose them.
 */

import { Histogram, latencyBounds } from "../../base/histogram.ts";
import { everyMethod } from "./route.ts";

/** Requests of one route and method. */
export interface RouteMetrics {
  /** How many were answered with which status. 499 is a client that went away before its answer. */
  readonly statuses: ReadonlyMap<number, number>;
  /** From a request's headers to its answer's headers. For a streamed answer, to its end. */
  readonly seconds: Histogram;
}

interface RouteSeries extends RouteMetrics {
  readonly statuses: Map<number, number>;
}

const methods: ReadonlySet<string> = new Set(everyMethod.split(", "));

export class HttpMetrics {
  readonly #routes = new Map<string, Map<string, RouteSeries>>();

  /** @param route One of a fixed set, never a client's text. */
  count(route: string, method: string, status: number, ms: number): void {
    let byMethod = this.#routes.get(route);
    if (!byMethod) {
      byMethod = new Map();
      this.#routes.set(route, byMethod);
    }
    const known = methods.has(method) ? method : "other";
    let series = byMethod.get(known);
    if (!series) {
      series = { statuses: new Map(), seconds: new Histogram(latencyBounds) };
      byMethod.set(known, series);
    }
    series.statuses.set(status, (series.statuses.get(status) ?? 0) + 1);
    series.seconds.observeMs(ms);
  }

  *routes(): Iterable<{ readonly route: string; readonly method: string; readonly metrics: RouteMetrics }> {
    for (const [route, byMethod] of this.#routes) {
      for (const [method, metrics] of byMethod) yield { route, method, metrics };
    }
  }
}
