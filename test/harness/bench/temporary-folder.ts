/**
 * A folder for the length of a measurement: removed when it's disposed of, and when a signal ends the bench before
 * that.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class TemporaryFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "weir-bench-"));
  readonly #remove = (): void => rmSync(this.path, { recursive: true, force: true });

  constructor() {
    process.on("exit", this.#remove);
  }

  [Symbol.dispose](): void {
    process.off("exit", this.#remove);
    this.#remove();
  }
}
