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
  /** What was let in last: most callers use the same name. */
  #last: string | undefined;

  /** @param names Those that count beside addresses and `localhost`. `loopback`: only this host's own. */
  constructor(names: readonly string[] | "loopback") {
    this.#names = names === "loopback" ? undefined : new Set(names.map((name) => name.toLowerCase()));
  }

  /** @throws OperatingError `cross_site_request`. */
  require(host: string): void {
    if (host === this.#last) return;
    if (!this.#allows(nameIn(host))) throw this.#refusalOf(JSON.stringify(host));
    this.#last = host;
  }

  #allows(name: string): boolean {
    if (loopback.test(name)) return true;
    // No site can have an address for its name.
    return this.#names !== undefined && (isIP(name) > 0 || this.#names.has(name));
  }

  #refusalOf(host: string): OperatingError {
    const detail =
      this.#names === undefined
        ? `without "auth" this node serves its own host only, and ${host} is another name`
        : `without tokens this node is called by its address, a name in "nodes" or one in http.hosts, and ${host} is none`;
    return new OperatingError("cross_site_request", detail);
  }
}

function nameIn(host: string): string {
  const name = authority.exec(host)?.[1] ?? host;
  const bare = name.startsWith("[") ? name.slice(1, -1) : name;
  return bare.toLowerCase().replace(/\.$/, "");
}
