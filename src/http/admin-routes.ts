/** What load balancers and people ask a node about itself, and the one thing that they can have it do. */

import type { IncomingMessage } from "node:http";
import { OperatingError } from "../base/errors.ts";
import type { Operations } from "../core/operation.ts";
import { announcesBody, answerJson, type Exchange } from "./exchange.ts";

type AdminPath = "/healthz" | "/readyz" | "/cluster" | "/cluster/leave";

const reading = "GET, HEAD, OPTIONS";

/** The methods of each route. */
const allowed: Readonly<Record<AdminPath, string>> = {
  "/healthz": reading,
  "/readyz": reading,
  "/cluster": reading,
  "/cluster/leave": "POST, OPTIONS",
};

export class AdminRoutes {
  readonly #operations: Operations;
  readonly #onLeave: () => void;

  /** @param onLeave - begins to take the node out of the cluster; may be called again */
  constructor(operations: Operations, onLeave: () => void) {
    this.#operations = operations;
    this.#onLeave = onLeave;
  }

  /** What `Allow` says of the route; undefined if there is none at this path. */
  allow(path: string): string | undefined {
    return isAdminPath(path) ? allowed[path] : undefined;
  }

  /** There must be a route at this path. */
  handle(exchange: Exchange, path: string): void {
    if (path === "/cluster/leave") this.#leave(exchange);
    else this.#tell(exchange, path);
  }

  #tell(exchange: Exchange, path: string): void {
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

  #leave(exchange: Exchange): void {
    const { request } = exchange;
    if (request.method !== "POST") throw new OperatingError("method_not_allowed", "this route takes POST only");
    if (announcesBody(request)) throw new OperatingError("body_invalid", "this request takes no body");
    if (isCrossSite(request)) throw new OperatingError("cross_site_request", "another site has sent this request");
    this.#onLeave();
    const { self } = this.#operations.status();
    answerJson(exchange, 202, { node: self, leaving: true }, ["Cache-Control", "no-store"]);
  }
}

function isAdminPath(path: string): path is AdminPath {
  return Object.hasOwn(allowed, path);
}

/**
 * Whether a page of another site made a browser send this: it needs no consent of ours for a simple POST. Browsers say so in `Sec-Fetch-Site`, which no page can
 * set; those that don't know it yet send `Origin`. Programs send neither.
 */
function isCrossSite({ headers }: IncomingMessage): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site !== "same-origin" && site !== "none";
  const { origin, host } = headers;
  return origin !== undefined && URL.parse(origin)?.host !== host;
}
