/**
 * From a request to the route that answers it, and from a failure to an answer in the form of that route. The path is matched as it came:
 * see key.ts for why nothing here makes a URL of it.
 */

import { type ErrorCode, OperatingError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Operations } from "../core/operation.ts";
import { AdminRoutes } from "./admin-routes.ts";
import { BlobRoutes } from "./blob-routes.ts";
import type { Bodies } from "./body.ts";
import { answer, type Exchange } from "./exchange.ts";
import { checkHeaders } from "./header-check.ts";
import { LegacyRoutes } from "./legacy-routes.ts";
import { describeFailure, ProblemWriter } from "./problem.ts";
import type { HttpSettings } from "./settings.ts";

const blobPrefix = "/kv/";
const legacyGetPrefix = "/get/";
const legacyPutPath = "/put";

const everyMethod = "GET, HEAD, PUT, POST, DELETE, OPTIONS";

export class Router {
  readonly #blobs: BlobRoutes;
  readonly #legacy: LegacyRoutes;
  readonly #admin: AdminRoutes;
  readonly #problems: ProblemWriter;
  readonly #log: Log;

  constructor(operations: Operations, onLeave: () => void, bodies: Bodies, settings: HttpSettings, log: Log) {
    this.#problems = new ProblemWriter(bodies, settings.retryAfterSeconds);
    this.#blobs = new BlobRoutes(operations, bodies, this.#problems, settings);
    this.#legacy = new LegacyRoutes(operations, bodies, this.#problems, settings);
    this.#admin = new AdminRoutes(operations, onLeave);
    this.#log = log;
  }

  /** Answers the request, whatever happens. Rejects only for a failed assertion. */
  async handle(exchange: Exchange): Promise<void> {
    const target = originForm(exchange.request.url as string);
    try {
      checkHeaders(exchange.request);
      if (exchange.request.method === "OPTIONS") this.#answerOptions(exchange, target);
      else if (target.startsWith(blobPrefix)) await this.#blobs.handle(exchange, target.slice(blobPrefix.length));
      else await this.#handleOthers(exchange, target);
    } catch (error) {
      this.#refuse(exchange, target, error);
    }
  }

  async #handleOthers(exchange: Exchange, target: string): Promise<void> {
    if (target.startsWith(legacyGetPrefix)) {
      await this.#legacy.get(exchange, target.slice(legacyGetPrefix.length));
      return;
    }
    const path = withoutQuery(target);
    if (isLegacyPut(path)) await this.#legacy.put(exchange);
    else if (this.#admin.allow(path) !== undefined) this.#admin.handle(exchange, path);
    else throw noRoute();
  }

  #answerOptions(exchange: Exchange, target: string): void {
    const allow = target === "*" ? everyMethod : this.#allowOf(target);
    if (allow === undefined) throw noRoute();
    answer(exchange, 204, ["Allow", allow]);
  }

  #allowOf(target: string): string | undefined {
    if (target.startsWith(blobPrefix)) return this.#blobs.allow;
    if (target.startsWith(legacyGetPrefix)) return this.#legacy.getAllow;
    const path = withoutQuery(target);
    if (isLegacyPut(path)) return this.#legacy.putAllow;
    return this.#admin.allow(path);
  }

  /** Answers with an error, without looking at the route. */
  refuse(exchange: Exchange, code: ErrorCode, detail: string): void {
    this.#problems.answer(exchange, code, detail);
  }

  #refuse(exchange: Exchange, target: string, error: unknown): void {
    const { code, detail } = describeFailure(error, this.#log);
    if (exchange.response.headersSent) {
      // Half an answer can't be mended; an honest end to it is all that is left.
      exchange.response.destroy();
      return;
    }
    const allow = code === "method_not_allowed" ? this.#allowOf(target) : undefined;
    const headers = allow === undefined ? [] : ["Allow", allow];
    if (target.startsWith(legacyGetPrefix) || isLegacyPut(withoutQuery(target))) {
      this.#legacy.refuse(exchange, code, detail, headers);
    } else {
      this.#problems.answer(exchange, code, detail, headers);
    }
  }
}

/** A target may name scheme and host too (RFC 9112, section 3.2.2); they are no part of the key. */
function originForm(target: string): string {
  if (target.startsWith("/")) return target;
  const rest = /^https?:\/\/[^/?#]*(.*)$/is.exec(target)?.[1];
  return rest === undefined ? target : rest || "/";
}

function withoutQuery(target: string): string {
  const end = target.indexOf("?");
  return end < 0 ? target : target.slice(0, end);
}

function isLegacyPut(path: string): boolean {
  return path === legacyPutPath || path === `${legacyPutPath}/`;
}

function noRoute(): OperatingError {
  return new OperatingError("route_not_found", "there is nothing at this path");
}
