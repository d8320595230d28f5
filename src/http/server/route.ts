/**
 * What the router knows of a route: its path, its methods, and the right that a caller needs for each. Methods that a
 * route does not name are not served.
 */

import type { Right } from "../../access/grant.ts";
import type { ErrorCode } from "../../base/errors.ts";
import type { Exchange, HeaderList } from "./exchange.ts";

/** The methods of all routes together, in the form of `Allow`. */
export const everyMethod = "GET, HEAD, PUT, POST, DELETE, OPTIONS";

/** A right, or `open` if no right is needed. */
export type Need = Right | "open";

interface RouteTraits {
  /** The methods, and the right that each needs. */
  readonly needs: Readonly<Record<string, Need>>;
  /**
   * Also takes a token as the password of HTTP's Basic scheme, for which browsers ask by themselves. A browser sends
   * that password with every request to this server, even if another site causes it. So this is only for routes that
   * change nothing.
   */
  readonly takesBasic?: boolean;
  /** Answers with an error, if errors have the route's own form. */
  readonly refuse?: (exchange: Exchange, code: ErrorCode, detail: string, headers: HeaderList) => void;
}

/** Its path is a prefix and a key. The router has checked that the caller may use the key. */
export interface KeyRoute extends RouteTraits {
  readonly kind: "key";
  readonly handle: (exchange: Exchange, key: string) => void | Promise<void>;
}

/**
 * Its path is fixed. The query or the body may contain a key or a prefix. Then the route itself must ask
 * `exchange.grant` whether the caller may use it.
 */
export interface FixedRoute extends RouteTraits {
  readonly kind: "fixed";
  /** `query` is what follows the path, with its question mark. */
  readonly handle: (exchange: Exchange, query: string) => void | Promise<void>;
}

export type Route = KeyRoute | FixedRoute;

/** The methods of a route that only reads. */
export function reading(need: Need): Readonly<Record<string, Need>> {
  return { GET: need, HEAD: need };
}

/** The value of `Allow`. */
export function allowOf(route: Route): string {
  return [...Object.keys(route.needs), "OPTIONS"].join(", ");
}
