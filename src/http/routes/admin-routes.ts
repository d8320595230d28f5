/** What load balancers and people ask a node about itself, and what operators can make it do. */

import { OperatingError } from "../../base/errors.ts";
import type { Administration, NodeControl } from "../../core/administration.ts";
import { answer, answerJson, type Exchange, refuseBody } from "../server/exchange.ts";
import { type FixedRoute, reading } from "../server/route.ts";
import { flush } from "./flush-route.ts";

/**
 * Milliseconds. A node that served stays ready for so long while its requests wait because members change. A change may
 * take as long after a loss. All nodes pause at such a moment. A load balancer that heard so from each would have
 * nowhere to send requests.
 */
const longestPauseMs = 3_000;

/** An answer to a scrape of metrics. */
export interface Scrape {
  readonly contentType: string;
  readonly text: string;
}

export class AdminRoutes {
  readonly #node: NodeControl;
  readonly #administration: () => Administration;
  readonly #onScrape: () => Promise<Scrape>;

  /** @param onScrape Makes the answer to `/metrics`. */
  constructor(node: NodeControl, administration: () => Administration, onScrape: () => Promise<Scrape>) {
    this.#node = node;
    this.#administration = administration;
    this.#onScrape = onScrape;
  }

  /** By their paths. */
  get routes(): Readonly<Record<string, FixedRoute>> {
    return {
      "/healthz": {
        kind: "fixed",
        needs: reading("open"),
        handle: (exchange) => this.#tellHealth(exchange),
      },
      "/readyz": { kind: "fixed", needs: reading("open"), handle: (exchange) => this.#tellReadiness(exchange) },
      "/metrics": { kind: "fixed", needs: reading("monitor"), handle: (exchange) => this.#scrape(exchange) },
      "/cluster": {
        kind: "fixed",
        needs: reading("monitor"),
        handle: (exchange) => answerFresh(exchange, 200, this.#node.status()),
      },
      "/cluster/flush": {
        kind: "fixed",
        needs: { POST: "admin" },
        handle: (exchange) => flush(exchange, this.#administration()),
      },
      "/cluster/leave": { kind: "fixed", needs: { POST: "admin" }, handle: (exchange) => this.#leave(exchange) },
    };
  }

  /** A node that waits for its disk is alive: to restart it would not help. */
  #tellHealth(exchange: Exchange): void {
    const trouble = this.#node.trouble();
    answerFresh(exchange, 200, { alive: true, ...(trouble !== undefined && { trouble }) });
  }

  #tellReadiness(exchange: Exchange): void {
    const { ready, reason, pausedMs } = this.#node.readiness();
    if (!ready && !(pausedMs !== undefined && pausedMs < longestPauseMs)) throw new OperatingError("not_ready", reason);
    answerFresh(exchange, 200, { ready: true, reason });
  }

  async #scrape(exchange: Exchange): Promise<void> {
    const { contentType, text } = await this.#onScrape();
    const length = String(Buffer.byteLength(text));
    answer(exchange, 200, ["Content-Type", contentType, "Content-Length", length, "Cache-Control", "no-store"], text);
  }

  #leave(exchange: Exchange): void {
    refuseBody(exchange);
    this.#node.leave();
    const { self } = this.#node.status();
    answerFresh(exchange, 202, { node: self, leaving: true });
  }
}

/** An answer that no cache may keep. */
function answerFresh(exchange: Exchange, status: number, value: unknown): void {
  answerJson(exchange, status, value, ["Cache-Control", "no-store"]);
}
