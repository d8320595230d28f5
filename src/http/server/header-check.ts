/**
 * What must hold of every request's headers before anything acts on them. node:http silently keeps the first of some
 * duplicated headers. Two parties could take different ones, so such a request is refused.
 */

import { OperatingError } from "../../base/errors.ts";
import { announcesBody, type Exchange } from "./exchange.ts";

/**
 * The headers of which node:http keeps the first, and that change what we do. They differ in length, so most headers
 * cost one comparison.
 */
function singleOf(length: number): string | undefined {
  switch (length) {
    case 4:
      return "host";
    case 13:
      return "authorization";
    case 17:
      return "if-modified-since";
    case 19:
      return "if-unmodified-since";
    default:
      return undefined;
  }
}

/** Methods whose requests have no body here. Others than these, PUT and POST are served by no route. */
const bodiless: readonly (string | undefined)[] = ["GET", "HEAD", "DELETE", "OPTIONS"];

/**
 * Ends the connection with the answer if a proxy before the node may see other requests on it than the node does.
 *
 * @throws OperatingError `header_invalid`, `body_invalid`.
 */
export function checkHeaders(exchange: Exchange): void {
  const { request } = exchange;
  const { rawHeaders } = request;
  if (request.httpVersionMajor !== 1) {
    exchange.closing = true;
    throw new OperatingError("header_invalid", `HTTP/${request.httpVersion} is not served, only HTTP/1.1 and HTTP/1.0`);
  }
  let seen = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const single = singleOf(name.length);
    if (single === undefined || name.toLowerCase() !== single) continue;
    const bit = 1 << name.length;
    if ((seen & bit) !== 0) throw new OperatingError("header_invalid", `${name} occurs more than once`);
    seen |= bit;
  }
  if ((seen & (1 << 4)) === 0 && request.httpVersionMinor > 0) {
    throw new OperatingError("header_invalid", "Host is missing");
  }
  const { method, headers } = request;
  const coding = headers["transfer-encoding"];
  if (coding !== undefined && (request.httpVersionMinor === 0 || coding.toLowerCase() !== "chunked")) {
    exchange.closing = true;
    const detail =
      request.httpVersionMinor === 0
        ? "HTTP/1.0 has no Transfer-Encoding"
        : `Transfer-Encoding may only be chunked, not ${coding}`;
    throw new OperatingError("header_invalid", detail);
  }
  if (method === "PUT" && request.httpVersionMinor === 0 && headers["content-length"] === undefined) {
    // By HTTP/1.1 it has no body (RFC 9112, section 6.3). Some HTTP/1.0 clients end a body by closing, and it would be
    // lost.
    throw new OperatingError("header_invalid", "an HTTP/1.0 request says the length of its body: Content-Length");
  }
  if (bodiless.includes(method) && announcesBody(request)) {
    throw new OperatingError("body_invalid", `${method} takes no body here`);
  }
}
