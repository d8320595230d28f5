/**
 * The only way into every route. The gate finds out who calls and whether they may. It also finds out whether a page of
 * another site made a browser send the request. The router asks the gate before it calls a route or reads a body.
 */

import type { IncomingMessage } from "node:http";
import type { Access } from "../../access/access.ts";
import { type Grant, noGrant } from "../../access/grant.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import type { Cors } from "./cors.ts";
import type { Need, Route } from "./route.ts";

/** Methods that change nothing (RFC 9110, section 9.2.1). */
const safeMethods: readonly (string | undefined)[] = ["GET", "HEAD", "OPTIONS"];

export class Gate {
  readonly #access: Access;
  readonly #cors: Cors;

  constructor(access: Access, cors: Cors) {
    this.#access = access;
    this.#cors = cors;
  }

  /**
   * What the caller of a route that needs `need` may do.
   *
   * @throws OperatingError `unauthorized`, `forbidden`, `cross_site_request`.
   */
  admit(request: IncomingMessage, need: Need, { takesBasic }: Pick<Route, "takesBasic">): Grant {
    this.#refuseCrossSite(request, need);
    if (need === "open") return noGrant;
    const { host, authorization } = request.headers;
    this.#access.requireHost(host);
    const bearer = takesBasic ? asBearer(authorization) : authorization;
    const grant = this.#access.grantOf(bearer);
    try {
      grant.requireRight(need);
    } catch (error) {
      if (bearer === authorization || !isOperatingError(error, "forbidden")) throw error;
      // A browser keeps a password that gets a 403 and never asks for another one.
      throw new OperatingError("unauthorized", error.message);
    }
    return grant;
  }

  /**
   * The same for a request for values in another dialect, which finds out itself who calls.
   *
   * @param isKnownHost Whether the host is one of the dialect's own names.
   * @throws OperatingError `cross_site_request`.
   */
  admitOther(request: IncomingMessage, need: "read" | "write", isKnownHost: boolean): void {
    this.#refuseCrossSite(request, need);
    if (!isKnownHost) this.#access.requireHost(request.headers.host);
  }

  #refuseCrossSite(request: IncomingMessage, need: Need): void {
    const { origin } = request.headers;
    const isForValues = need === "read" || need === "write";
    // Sites that may use the values must still not change the cluster.
    const isWelcome = isForValues && this.#cors.allows(origin);
    // Nor look at it, where it takes no token. A link that someone follows has no origin, and its page gets no answer.
    const isLook = !isForValues && need !== "open" && origin !== undefined && !this.#access.needsToken;
    const isGuarded = isLook || !safeMethods.includes(request.method);
    if (isGuarded && !isWelcome && isCrossSite(request)) {
      throw new OperatingError("cross_site_request", "another site has sent this request");
    }
  }
}

/** The password of Basic credentials (RFC 7617) as a bearer's token. Anything else stays as it is. */
function asBearer(authorization: string | undefined): string | undefined {
  const encoded = /^Basic +([\w+/]+=*)$/i.exec(authorization ?? "")?.[1];
  if (encoded === undefined) return authorization;
  const credentials = Buffer.from(encoded, "base64").toString();
  return `Bearer ${credentials.slice(credentials.indexOf(":") + 1)}`;
}

/**
 * Whether a page of another site made a browser send this. A page needs no consent of ours for a simple POST. Browsers
 * tell it in `Sec-Fetch-Site`, which no page can set. Older browsers send `Origin`. Programs send neither.
 */
function isCrossSite({ headers }: IncomingMessage): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site !== "same-origin" && site !== "none";
  const { origin, host } = headers;
  return origin !== undefined && URL.parse(origin)?.host !== host;
}
