/**
 * Requests to the store whose outcome is unknown. Until F after it was sent, each may still take effect. So other
 * versions of its key are not sent, and what was written meanwhile is not taken for granted (F3).
 */

import type { Instant } from "../base/clock.ts";
import { compareVersions, type Version, versionOf } from "./version.ts";

interface OpenRequest {
  /** Undefined: of several versions. */
  readonly version: Version | undefined;
  /** After this it cannot take effect any more. */
  readonly until: Instant;
}

export class OpenRequests {
  /** By key, also of keys that were flushed since. */
  readonly #open = new Map<string, OpenRequest>();

  get size(): number {
    return this.#open.size;
  }

  keys(): IterableIterator<string> {
    return this.#open.keys();
  }

  /** A request for this version may take effect until then. */
  add(key: string, version: Version, until: Instant, now: Instant): void {
    const before = this.#open.get(key);
    const isSame = !before || before.until <= now || isOf(before, version);
    this.#open.delete(key);
    // Of several versions under way any may be the last to land.
    this.#open.set(key, { version: isSame ? versionOf(version) : undefined, until });
  }

  /**
   * Until when a request for another version may still take effect (any version, if none is given); undefined if none
   * can.
   */
  otherUntil(key: string, version: Version | undefined, now: Instant): Instant | undefined {
    const open = this.#open.get(key);
    if (!open || open.until <= now || (version !== undefined && isOf(open, version))) return undefined;
    return open.until;
  }

  /** Forgets those that cannot take effect any more. */
  forgetClosed(now: Instant): void {
    for (const [key, { until }] of this.#open) {
      if (until > now) break; // in order of time, since each is open for the same time
      this.#open.delete(key);
    }
  }
}

function isOf(open: OpenRequest, version: Version): boolean {
  return open.version !== undefined && compareVersions(open.version, version) === 0;
}
