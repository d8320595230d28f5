/**
 * The folder in which `weir dev` keeps its cluster.json, the nodes' journals and, by default, its store. One `weir dev`
 * at a time uses it. A second one would start other nodes on the same store.
 */

import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OperatingError } from "../../base/errors.ts";
import { makeFolders } from "../../folders.ts";
import { lockFolder } from "../../journal/folder-lock.ts";
import { fileTrouble } from "../process/file-trouble.ts";

export class DevFolder implements Disposable {
  readonly path: string;
  /** Who has the folder, for the message to the next one. It locks nothing: a process number may be anyone's by now. */
  readonly #holderPath: string;
  #held: Disposable | undefined;

  private constructor(path: string) {
    this.path = path;
    this.#holderPath = join(path, "dev.pid");
  }

  /**
   * Makes the folder if there is none.
   *
   * @throws OperatingError `config_invalid` when another running `weir dev` uses the folder, or it cannot be written.
   */
  static async open(path: string): Promise<DevFolder> {
    const folder = new DevFolder(path);
    try {
      await makeFolders(path);
      folder.#lock();
      return folder;
    } catch (cause) {
      if (cause instanceof OperatingError) throw cause;
      const reason = `can't write in the folder ${path}: ${fileTrouble(cause)}; choose another one with --dir`;
      throw new OperatingError("config_invalid", reason, { cause });
    }
  }

  get clusterFile(): string {
    return join(this.path, "cluster.json");
  }

  /** Replaces the nodes' configuration in one step, since running nodes watch it. */
  writeClusterFile(content: unknown): void {
    const draft = `${this.clusterFile}.new`;
    writeFileSync(draft, `${JSON.stringify(content, null, 2)}\n`);
    renameSync(draft, this.clusterFile);
  }

  [Symbol.dispose](): void {
    rmSync(this.#holderPath, { force: true });
    this.#held?.[Symbol.dispose]();
  }

  #lock(): void {
    this.#held = lockFolder(this.path);
    if (this.#held === undefined) {
      const holder = existsSync(this.#holderPath) ? readFileSync(this.#holderPath, "utf8").trim() : "";
      throw new OperatingError(
        "config_invalid",
        `another weir dev${holder && ` (process ${holder})`} uses ${this.path}; stop it, or choose another folder with --dir`,
      );
    }
    writeFileSync(this.#holderPath, `${process.pid}\n`);
  }
}
