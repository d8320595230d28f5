/**
 * Tells when a file has other content. Editors put a new file in its place and Kubernetes swaps a link beside it, so it's the folder that is watched; and what no
 * system tells (network file systems, a link into another folder) is found by looking now and then. Only the content counts, so a look too many does
 * no harm.
 */

import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Clock, Timer } from "../base/clock.ts";

export interface FileWatchOptions {
  readonly path: string;
  /** Its content as far as the caller knows it. */
  readonly text: string;
  readonly clock: Clock;
  readonly observer: FileObserver;
  /** Milliseconds between two looks that nothing gave rise to; 5 s unless told. */
  readonly pollMs?: number;
}

export interface FileObserver {
  onChange(text: string): void;
  /** It can't be read any more. Told once, until it can be again. */
  onUnreadable(error: Error): void;
}

/** Once a minute would do for people, but they wait for what they have just done. */
const defaultPollMs = 5_000;

/** Milliseconds from a first sign of a change to the look: whoever writes is mostly done by then, and if not there is another sign. */
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

  /** Reads it now, and tells its content even if it is what it was. Resolves when it has told. */
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
      // Of a folder that is gone, say. Looking now and then is left.
      watcher.on("error", () => watcher.close());
    } catch {
      // The system has no more watches to give, or none for this folder.
    }
  }

  /** However many signs there are, as in a folder where others write: a look for each {@link settleMs} at most. */
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

  /** Not synchronously: a file server that hangs must not hold up the process. */
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
      // Back as it was: whoever was told that it is away must not go on believing that.
      const isBack = !this.#isReadable;
      this.#isReadable = true;
      if (this.#isDisposed || (text === this.#text && !tellsAlways && !isBack)) return;
      this.#text = text;
      this.#observer.onChange(text);
    });
    return this.#looks;
  }
}
