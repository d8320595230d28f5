/**
 * Pages of other sites that may use this node (the Fetch standard's CORS protocol): those of the configured origins, and without any, none. Credentials of a browser's own (cookies,
 * client certificates) are never asked for: a page sends its token itself.
 */

import type { IncomingMessage } from "node:http";
import type { HeaderList } from "./exchange.ts";

export interface CorsSettings {
  /** As browsers send them, or `*` for all. */
  readonly origins: readonly string[];
  /** How long a browser may remember what was allowed. */
  readonly maxAgeSeconds: number;
}

const anyOrigin = "*";
const nothing: readonly string[] = Object.freeze([]);
/** A list of names of headers. */
const headerNames = /^[\w!#$%&'*+.^`|~, -]*$/;

export class Cors {
  readonly #origins: ReadonlySet<string>;
  readonly #maxAge: string;

  constructor({ origins, maxAgeSeconds }: CorsSettings) {
    this.#origins = new Set(origins);
    this.#maxAge = String(maxAgeSeconds);
  }

  /** Whether pages of this origin may use the node. */
  allows(origin: string | undefined): boolean {
    return origin !== undefined && (this.#origins.has(origin) || this.#origins.has(anyOrigin));
  }

  /** What every answer to the request says, errors included: otherwise a page could not read them. */
  headersFor({ headers }: IncomingMessage): readonly string[] {
    if (this.#origins.size === 0) return nothing;
    const any = this.#origins.has(anyOrigin);
    // A cache must not give the answer to one origin's page to another's.
    const result = any ? [] : ["Vary", "Origin"];
    const { origin } = headers;
    if (origin === undefined || !this.allows(origin)) return result;
    result.push("Access-Control-Allow-Origin", any ? anyOrigin : origin);
    // All: ETag, Weir-*, Content-Range, Retry-After, and metadata by any name.
    result.push("Access-Control-Expose-Headers", "*");
    return result;
  }

  /** For the answer to OPTIONS: which of `methods`, and that all headers, may be sent; nothing if it is no preflight request, or not allowed. */
  preflight({ headers }: IncomingMessage, methods: string): HeaderList {
    if (headers["access-control-request-method"] === undefined || !this.allows(headers.origin)) return [];
    const result = ["Access-Control-Allow-Methods", methods, "Access-Control-Max-Age", this.#maxAge];
    const wanted = headers["access-control-request-headers"];
    // By name: a wildcard does not cover Authorization.
    if (wanted !== undefined && headerNames.test(wanted)) result.push("Access-Control-Allow-Headers", wanted);
    return result;
  }
}
