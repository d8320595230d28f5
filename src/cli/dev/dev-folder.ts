/**
 * The folder in which `weir dev` keeps its cluster.json, the nodes' journals and, by default, its store. One `weir dev`
 * at a time uses it. A second one would start other nodes on the same store.
 */

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OperatingError } from "../../base/errors.ts";
import { makeFolders } from "../../folders.ts";
import { fileTrouble } from "../process/file-trouble.ts";

export class DevFolder implements Disposable {
  readonly path: string;
  readonly #lockPath: string;

  private constructor(path: string) {
    this.path = path;
    this.#lockPath = join(path, "dev.pid");
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
    rmSync(this.#lockPath, { force: true });
  }

  #lock(): void {
    for (;;) {
      try {
        writeFileSync(this.#lockPath, `${process.pid}\n`, { flag: "wx" });
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const holder = Number(readFileSync(this.#lockPath, "utf8"));
      if (isAlive(holder)) {
        throw new OperatingError(
          "config_invalid",
          `another weir dev (process ${holder}) uses ${this.path}; stop it, or choose another folder with --dir`,
        );
      }
      // Its holder was killed.
      rmSync(this.#lockPath, { force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
