/** What load balancers and people ask a node about itself. */

import { OperatingError } from "../base/errors.ts";
import type { Operations } from "../core/operation.ts";
import { answerJson, type Exchange } from "./exchange.ts";

export class AdminRoutes {
  readonly allow = "GET, HEAD, OPTIONS";
  readonly #operations: Operations;

  constructor(operations: Operations) {
    this.#operations = operations;
  }

  /** Whether there is such a route. */
  has(path: string): boolean {
    return path === "/healthz" || path === "/readyz" || path === "/cluster";
  }

  handle(exchange: Exchange, path: string): void {
    const { method } = exchange.request;
    if (method !== "GET" && method !== "HEAD") {
      throw new OperatingError("method_not_allowed", `${method} is not for this route`);
    }
    if (path === "/healthz") {
      answerJson(exchange, 200, { alive: true }, ["Cache-Control", "no-store"]);
    } else if (path === "/readyz") {
      const { ready, reason } = this.#operations.readiness();
      if (!ready) throw new OperatingError("not_ready", reason);
      answerJson(exchange, 200, { ready, reason }, ["Cache-Control", "no-store"]);
    } else {
      answerJson(exchange, 200, this.#operations.status(), ["Cache-Control", "no-store"]);
    }
  }
}
