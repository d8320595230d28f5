/**
 * The dashboard of a node: what it shows of the cluster, at this moment and over the last minutes, and what a browser
 * may do with the page.
 */

import { hash } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { ClusterStatus } from "../core/status.ts";
import { History } from "./history.ts";
import { renderPage } from "./page.ts";
import { pageScript } from "./page-script.ts";
import { pageStyle } from "./page-style.ts";
import { RingDrawing } from "./ring-drawing.ts";

export interface DashboardParts {
  /** The release that runs. */
  readonly version: string;
  readonly status: () => ClusterStatus;
  readonly clock: Clock;
}

/**
 * The page's Content-Security-Policy. It allows the page's own style and script, by their hashes, and requests to its
 * own node, and nothing else. So a name or a key could do nothing, even if it were taken for markup.
 */
export const pagePolicy = [
  "default-src 'none'",
  `style-src ${sourceOf(pageStyle)}`,
  `script-src ${sourceOf(pageScript)}`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export class Dashboard implements Disposable {
  readonly #parts: DashboardParts;
  readonly #history: History;
  readonly #ring = new RingDrawing();

  constructor(parts: DashboardParts) {
    this.#parts = parts;
    this.#history = new History(parts.clock, parts.status);
  }

  /** The page, as of this moment. */
  render(): string {
    const { version, status: look, clock } = this.#parts;
    const status = look();
    const { samples, changes } = this.#history;
    return renderPage({ status, version, ring: this.#ring.draw(status), samples, changes, now: clock.now() });
  }

  [Symbol.dispose](): void {
    this.#history[Symbol.dispose]();
  }
}

function sourceOf(text: string): string {
  return `'sha256-${hash("sha256", text, "base64")}'`;
}
