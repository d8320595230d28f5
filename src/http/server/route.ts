/** What the router knows of a route: where it is, what it takes, and what a caller needs for that. A method that is not named is not served. */

import type { Right } from "../../access/grant.ts";
import type { ErrorCode } from "../../base/errors.ts";
import type { Exchange, HeaderList } from "./exchange.ts";

/** Whatever a route may be for, as `Allow` has it. */
export const everyMethod = "GET, HEAD, PUT, POST, DELETE, OPTIONS";

/** A right, or `open` for what anybody may ask. */
export type Need = Right | "open";

interface RouteTraits {
  /** The methods, and the right that each needs. */
  readonly needs: Readonly<Record<string, Need>>;
  /**
   * A token is taken as the password of HTTP's Basic scheme, too, for which browsers ask by themselves. They send it with whatever any site has them ask this server, so
   * only for what changes nothing.
   */
  readonly takesBasic?: boolean;
  /** Answers with an error, where the form of it is the route's own. */
  readonly refuse?: (exchange: Exchange, code: ErrorCode, detail: string, headers: HeaderList) => void;
}

/** Its path is a prefix and a key, which the caller may use. */
export interface KeyRoute extends RouteTraits {
  readonly kind: "key";
  readonly handle: (exchange: Exchange, key: string) => void | Promise<void>;
}

/**
 * Its path is fixed. If there is a key or a prefix in the query or the body, the route itself must ask whether the caller may use it
 * (`exchange.grant`).
 */
export interface FixedRoute extends RouteTraits {
  readonly kind: "fixed";
  /** `query` is what follows the path, its question mark included. */
  readonly handle: (exchange: Exchange, query: string) => void | Promise<void>;
}

export type Route = KeyRoute | FixedRoute;

/** For what is read only. */
export function reading(need: Need): Readonly<Record<string, Need>> {
  return { GET: need, HEAD: need };
}

/** The value of `Allow`. */
export function allowOf(route: Route): string {
  return [...Object.keys(route.needs), "OPTIONS"].join(", ");
}
