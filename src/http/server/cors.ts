/**
 * Which pages of other sites may use this node (the Fetch standard's CORS protocol): those of the configured origins.
 * Without any, no page may. The node never asks for a browser's own credentials (cookies, client certificates). A page
 * sends its token itself.
 */

import type { IncomingMessage } from "node:http";
import type { HeaderList } from "./exchange.ts";

export interface CorsSettings {
  /** As browsers send them, or `*` for all. */
  readonly origins: readonly string[];
  /** How long a browser may remember the answer to a preflight request. */
  readonly maxAgeSeconds: number;
}

const anyOrigin = "*";
/** A browser gives the answer to no page of another site as an image, a style or a script. */
const ownSite: readonly string[] = Object.freeze(["Cross-Origin-Resource-Policy", "same-origin"]);
const anySite: readonly string[] = Object.freeze(["Cross-Origin-Resource-Policy", "cross-origin"]);
/** A list of header names. */
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

  /** The headers of every answer to the request, errors included. Without them a page could not read the answer. */
  headersFor({ headers }: IncomingMessage): readonly string[] {
    if (this.#origins.size === 0) return ownSite;
    const any = this.#origins.has(anyOrigin);
    // A cache must not give the answer for one origin's page to another's.
    const result = any ? [...ownSite] : [...ownSite, "Vary", "Origin"];
    const { origin } = headers;
    if (origin === undefined || !this.allows(origin)) return result;
    result.push("Access-Control-Allow-Origin", any ? anyOrigin : origin);
    // All: ETag, Weir-*, Content-Range, Retry-After, and metadata by any name.
    result.push("Access-Control-Expose-Headers", "*");
    return result;
  }

  /** The headers of an answer, as {@link headersFor} made them, for a page of any site to show as a part of itself. */
  forAllSites(headers: readonly string[]): readonly string[] {
    return [...anySite, ...headers.slice(ownSite.length)];
  }

  /**
   * For the answer to OPTIONS: allows `methods` and all the headers asked for. Empty if it is no preflight request, or
   * the origin is not allowed.
   */
  preflight({ headers }: IncomingMessage, methods: string): HeaderList {
    if (headers["access-control-request-method"] === undefined || !this.allows(headers.origin)) return [];
    const result = ["Access-Control-Allow-Methods", methods, "Access-Control-Max-Age", this.#maxAge];
    const wanted = headers["access-control-request-headers"];
    // By name: a wildcard does not cover Authorization.
    if (wanted !== undefined && headerNames.test(wanted)) result.push("Access-Control-Allow-Headers", wanted);
    return result;
  }
}
