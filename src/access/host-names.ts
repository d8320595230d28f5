/**
 * Names by which requests may call a node that needs no token. A site may let its own name resolve to the node's
 * address for a moment (DNS rebinding). To the browser, its page and the node are one site then. So the page may do all
 * that a caller without a token may. But its requests still have the site's name.
 */

import { isIP } from "node:net";
import { OperatingError } from "../base/errors.ts";

/** Host and port. An IPv6 address has brackets. */
const authority = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/;

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/;

export class HostNames {
  /** Undefined where only programs of this host are served. */
  readonly #names: ReadonlySet<string> | undefined;

  /** @param names Those that count beside addresses and `localhost`. `loopback`: only this host's own. */
  constructor(names: readonly string[] | "loopback") {
    this.#names = names === "loopback" ? undefined : new Set(names.map((name) => name.toLowerCase()));
  }

  /** @throws OperatingError `cross_site_request`. */
  require(host: string): void {
    const name = nameIn(host);
    if (loopback.test(name)) return;
    const asText = JSON.stringify(host);
    if (this.#names === undefined) {
      throw refused(`without "auth" this node serves its own host only, and ${asText} is another name`);
    }
    // No site can have an address for its name.
    if (isIP(name) > 0 || this.#names.has(name)) return;
    throw refused(
      `without tokens this node is called by its address, a name in "nodes" or one in http.hosts, and ${asText} is none`,
    );
  }
}

function nameIn(host: string): string {
  const name = authority.exec(host)?.[1] ?? host;
  const bare = name.startsWith("[") ? name.slice(1, -1) : name;
  return bare.toLowerCase().replace(/\.$/, "");
}

function refused(detail: string): OperatingError {
  return new OperatingError("cross_site_request", detail);
}
