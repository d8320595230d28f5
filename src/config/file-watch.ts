/**
 * Tells when the content of a file changes. Editors put a new file in its place, and Kubernetes swaps a link beside it.
 * So the folder is watched. Some changes no system reports (network file systems, a link into another folder), so the
 * file is also read now and then. Only the content counts, so reading it once too often does no harm.
 */

import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Clock, Timer } from "../base/clock.ts";

export interface FileWatchOptions {
  readonly path: string;
  /** The file's content as far as the caller knows it. */
  readonly text: string;
  readonly clock: Clock;
  readonly observer: FileObserver;
  /** Milliseconds between two looks without any sign of a change; 5 s by default. */
  readonly pollMs?: number;
}

export interface FileObserver {
  /** @returns whether the content counts now. If not, it is told again with each look, since what it names may come. */
  onChange(text: string): boolean;
  /** The file can't be read any more. Reported once, until it can be read again. */
  onUnreadable(error: Error): void;
}

/** Once a minute would be often enough, but people wait for the effect of what they have just done. */
const defaultPollMs = 5_000;

/**
 * Milliseconds from a first sign of a change to the look. Most writers are done by then. If not, there is another sign.
 */
const settleMs = 100;

export class FileWatch implements Disposable {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #observer: FileObserver;
  readonly #pollMs: number;
  #text: string;
  #watcher: FSWatcher | undefined;
  #settling: Timer | undefined;
  #polling: Timer | undefined;
  #isReadable = true;
  /** Whether the observer has taken the content that it was told last. */
  #isTaken = true;
  #isDisposed = false;
  /** The look under way and those that were asked for meanwhile, one after the other. */
  #looks: Promise<void> = Promise.resolve();

  constructor({ path, text, clock, observer, pollMs = defaultPollMs }: FileWatchOptions) {
    this.#path = resolve(path);
    this.#text = text;
    this.#clock = clock;
    this.#observer = observer;
    this.#pollMs = pollMs;
    this.#watchFolder();
    this.#poll();
  }

  /** Reads the file now, and reports its content even if it has not changed. Resolves when it has reported. */
  async reread(): Promise<void> {
    await this.#look(true);
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#watcher?.close();
    this.#settling?.cancel();
    this.#polling?.cancel();
  }

  #watchFolder(): void {
    try {
      const watcher = watch(dirname(this.#path), { persistent: false }, () => this.#lookSoon());
      this.#watcher = watcher;
      // The folder is gone, for example. Then only the looks now and then are left.
      watcher.on("error", () => watcher.close());
    } catch {
      // The system has no more watches to give, or none for this folder.
    }
  }

  /**
   * There is at most one look for each {@link settleMs}, however many signs there are. In a folder where others write
   * there may be many.
   */
  #lookSoon(): void {
    this.#settling ??= this.#clock.after(settleMs, () => {
      this.#settling = undefined;
      void this.#look(false);
    });
  }

  #poll(): void {
    this.#polling = this.#clock.after(this.#pollMs, () => {
      void this.#look(false).then(() => {
        if (!this.#isDisposed) this.#poll();
      });
    });
  }

  /** The read is asynchronous: a file server that hangs must not hold up the process. */
  #look(tellsAlways: boolean): Promise<void> {
    this.#looks = this.#looks.then(async () => {
      if (this.#isDisposed) return;
      let text: string;
      try {
        text = await readFile(this.#path, "utf8");
      } catch (error) {
        if (!this.#isDisposed && (this.#isReadable || tellsAlways)) this.#observer.onUnreadable(error as Error);
        this.#isReadable = false;
        return;
      }
      // The file can be read again, unchanged. An observer that was told that it can't must be told that it can.
      const isBack = !this.#isReadable;
      this.#isReadable = true;
      if (this.#isDisposed || (text === this.#text && this.#isTaken && !tellsAlways && !isBack)) return;
      this.#text = text;
      this.#isTaken = this.#observer.onChange(text);
    });
    return this.#looks;
  }
}
