/**
 * From a request to the route that answers it, and from a failure to an answer in that route's form. The gate comes
 * first: no route is called and no body is read before the gate has let the caller in. The path is matched as it came.
 * key.ts says why nothing here makes a URL of it.
 */

import type { Access } from "../access/access.ts";
import { withoutTokens } from "../access/token.ts";
import type { Clock, Instant } from "../base/clock.ts";
import { Complaints, complaintIntervalMs } from "../base/complaints.ts";
import { type ErrorCode, OperatingError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Administration, NodeControl } from "../core/administration.ts";
import type { Operations } from "../core/operation.ts";
import { AdminRoutes, type Scrape } from "./routes/admin-routes.ts";
import { BlobRoutes } from "./routes/blob-routes.ts";
import { type DashboardPage, dashboardRoute } from "./routes/dashboard-route.ts";
import { DateFormatter } from "./routes/http-date.ts";
import { LegacyRoutes } from "./routes/legacy-routes.ts";
import { ListRoute } from "./routes/list-route.ts";
import { refusedListRoute, refusedRoute } from "./routes/refused-route.ts";
import type { Bodies } from "./server/body.ts";
import type { Cors } from "./server/cors.ts";
import { answer, type Exchange } from "./server/exchange.ts";
import { Gate } from "./server/gate.ts";
import { checkHeaders } from "./server/header-check.ts";
import type { HttpSettings } from "./server/http-settings.ts";
import { parseKey } from "./server/key.ts";
import type { HttpMetrics } from "./server/metrics.ts";
import type { NodeShares } from "./server/node-shares.ts";
import { originForm } from "./server/origin-form.ts";
import { describeFailure, detailFor, isStoreFailure, ProblemWriter } from "./server/problem.ts";
import { allowOf, everyMethod, type FixedRoute, type KeyRoute, type Route } from "./server/route.ts";
import { AnswerStreams } from "./server/stream.ts";
import { Turns } from "./server/turns.ts";

/** What the router needs to answer requests. */
export interface RequestRouterOptions {
  /** Asked for each time: another member may take the place of the one that answered last. */
  readonly operations: () => Operations;
  readonly administration: () => Administration;
  readonly node: NodeControl;
  /** Makes the answer to `/metrics`. */
  readonly onScrape: () => Promise<Scrape>;
  /** The page that people see in a browser. */
  readonly dashboard: DashboardPage;
  /** Who may do what. */
  readonly access: Access;
  readonly settings: HttpSettings;
  readonly clock: Clock;
  readonly log: Log;
}

/** A route, and the rest of the target for it: the encoded key, or the query. */
interface Match {
  readonly route: Route;
  /** The route's name in metrics. */
  readonly name: string;
  readonly rest: string;
}

/** The name in metrics of a request without a route. */
const noName = "other";

/** The status in metrics of a request whose client went away before its answer. */
const clientGone = 499;

export class RequestRouter {
  /** By the part of the path before the key. */
  readonly #keyRoutes: readonly (readonly [prefix: string, route: KeyRoute, name: string])[];
  /** By their paths. */
  readonly #fixedRoutes: ReadonlyMap<string, FixedRoute>;
  readonly #gate: Gate;
  readonly #shares: NodeShares;
  readonly #cors: Cors;
  readonly #problems: ProblemWriter;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #complaints: Complaints;
  readonly #metrics: HttpMetrics;
  readonly #bodies: Pick<Bodies, "answered">;

  constructor(options: RequestRouterOptions, bodies: Bodies, shares: NodeShares, cors: Cors, metrics: HttpMetrics) {
    const { operations, administration, node, onScrape, dashboard, access, settings, clock, log } = options;
    this.#problems = new ProblemWriter(bodies, settings.retryAfterSeconds);
    const dates = new DateFormatter(clock);
    const turns = new Turns();
    const streams = new AnswerStreams(clock, settings, shares);
    const blobs = new BlobRoutes(operations, bodies, streams, this.#problems, dates, settings);
    const legacy = new LegacyRoutes(operations, bodies, this.#problems, dates, turns, settings);
    const list = new ListRoute(operations, turns, shares, settings.maxListKeys);
    const admin = new AdminRoutes(node, administration, onScrape);
    this.#keyRoutes = [
      ["/kv/", blobs.route, "/kv/{key}"],
      ["/get/", legacy.get, "/get/{key}"],
      ["/cluster/refused/", refusedRoute(administration), "/cluster/refused/{key}"],
    ];
    this.#fixedRoutes = new Map(
      Object.entries({
        "/": dashboardRoute(dashboard),
        "/kv/": list.route,
        "/cluster/refused/": refusedListRoute(administration),
        "/put": legacy.put,
        "/put/": legacy.put,
        ...admin.routes,
      }),
    );
    this.#gate = new Gate(access, cors);
    this.#shares = shares;
    this.#cors = cors;
    this.#clock = clock;
    this.#log = log;
    this.#complaints = new Complaints(log, clock, complaintIntervalMs);
    this.#metrics = metrics;
    this.#bodies = bodies;
  }

  /** Every route, by its path or by the part of the path before the key. */
  get routes(): readonly (readonly [path: string, route: Route])[] {
    return [...this.#keyRoutes.map(([prefix, route]) => [prefix, route] as const), ...this.#fixedRoutes];
  }

  /** Answers every request. Throws or rejects only for a failed assertion. */
  handle(exchange: Exchange): void | Promise<void> {
    const { request } = exchange;
    const beganAt = this.#clock.now();
    const target = originForm(request.url as string);
    const match = this.#match(target, request.method as string);
    try {
      checkHeaders(exchange);
      if (request.method === "OPTIONS") this.#answerOptions(exchange, target, match);
      else if (match === undefined) throw noRoute();
      else {
        const answered = this.#call(exchange, match);
        if (answered !== undefined) return this.#conclude(exchange, match, beganAt, answered);
      }
    } catch (error) {
      this.#refuse(exchange, match?.route, error);
    }
    this.#count(exchange, match, beganAt);
  }

  async #conclude(exchange: Exchange, match: Match, beganAt: Instant, answered: Promise<void>): Promise<void> {
    try {
      await answered;
    } catch (error) {
      this.#refuse(exchange, match.route, error);
    }
    this.#count(exchange, match, beganAt);
  }

  /**
   * Whether the request is for a route that needs an operator's right, or none, as those of probes. Whether its caller
   * has the right is not judged yet.
   */
  isForOperators({ request }: Exchange): boolean {
    const method = request.method as string;
    const need = this.#match(originForm(request.url as string), method)?.route.needs[method];
    return need === "monitor" || need === "admin" || need === "open";
  }

  /** Answers with an error, without looking at the route. */
  refuse(exchange: Exchange, code: ErrorCode, detail: string): void {
    const beganAt = this.#clock.now();
    this.#problems.answer(exchange, code, detail);
    const { url, method } = exchange.request;
    this.#count(exchange, this.#match(originForm(url as string), method as string), beganAt);
  }

  #count(exchange: Exchange, match: Match | undefined, beganAt: Instant): void {
    const { request, response, grant, place } = exchange;
    place?.release();
    const now = this.#clock.now();
    const ms = now - beganAt;
    this.#bodies.answered(exchange, now);
    const { url: target = "", method } = request;
    const status = response.headersSent ? response.statusCode : clientGone;
    this.#metrics.count(match?.name ?? noName, method as string, status, ms);
    this.#log.debug("request", () => ({
      method,
      target: withoutTokens(target),
      status,
      ms: Math.round(ms * 1_000) / 1_000,
      by: grant.name,
    }));
  }

  #match(target: string, method: string): Match | undefined {
    for (const [prefix, route, name] of this.#keyRoutes) {
      if (!target.startsWith(prefix)) continue;
      const rest = target.slice(prefix.length);
      // There is no key. The request may be for all keys.
      const all = rest === "" || rest.startsWith("?") ? this.#fixedRoutes.get(prefix) : undefined;
      return all?.needs[method] === undefined ? { route, name, rest } : { route: all, name: prefix, rest };
    }
    const end = target.indexOf("?");
    const path = end < 0 ? target : target.slice(0, end);
    const route = this.#fixedRoutes.get(path);
    return route === undefined ? undefined : { route, name: path, rest: target.slice(path.length) };
  }

  #call(exchange: Exchange, { route, rest }: Match): void | Promise<void> {
    const { request } = exchange;
    const need = route.needs[request.method as string];
    if (need === undefined) {
      const methods = Object.keys(route.needs).join(", ");
      throw new OperatingError("method_not_allowed", `${request.method} is not for this route; use ${methods}`);
    }
    exchange.grant = this.#gate.admit(request, need, route);
    if (need === "read" || need === "write") this.#takePlace(exchange);
    if (route.kind === "fixed") return route.handle(exchange, rest);
    const key = parseKey(rest);
    exchange.grant.requireKey(key);
    return route.handle(exchange, key);
  }

  /** Operators are served however much clients ask for. */
  #takePlace(exchange: Exchange): void {
    exchange.place = this.#shares.take("requests", exchange, 1);
    if (!exchange.place) throw new OperatingError("overloaded", "too many requests are under way on this node");
  }

  #answerOptions(exchange: Exchange, target: string, match: Match | undefined): void {
    if (match === undefined && target !== "*") throw noRoute();
    const allow = match === undefined ? everyMethod : allowOf(match.route);
    answer(exchange, 204, ["Allow", allow, ...this.#cors.preflight(exchange.request, allow)]);
  }

  #refuse(exchange: Exchange, route: Route | undefined, error: unknown): void {
    const { code, detail: reason } = describeFailure(error, this.#log);
    if (isStoreFailure(code)) this.#complaints.warn(code, "the store failed a request", { code, reason });
    const detail = detailFor(exchange.grant, code, reason);
    if (exchange.response.headersSent) {
      // Half an answer cannot be repaired. Cutting the connection shows that it is incomplete.
      exchange.response.destroy();
      return;
    }
    const headers: string[] = [];
    if (code === "method_not_allowed" && route !== undefined) headers.push("Allow", allowOf(route));
    if (code === "unauthorized") headers.push("WWW-Authenticate", challenge(exchange));
    if (code === "unauthorized" && route?.takesBasic) headers.push("WWW-Authenticate", basicChallenge);
    if (route?.refuse === undefined) this.#problems.answer(exchange, code, detail, headers);
    else route.refuse(exchange, code, detail, headers);
  }
}

/** RFC 7617, section 2. Some browsers show the realm when they ask for a name and a password. */
const basicChallenge = 'Basic realm="weir: any name, and a token as password", charset="UTF-8"';

/** RFC 6750, section 3: a client that has sent no token is told no error. */
function challenge({ request }: Exchange): string {
  const realm = 'Bearer realm="weir"';
  return request.headers.authorization === undefined ? realm : `${realm}, error="invalid_token"`;
}

function noRoute(): OperatingError {
  return new OperatingError("route_not_found", "there is nothing at this path");
}
