/**
 * Makes the changes of a folder in a thread of its own. A file system may take its time for any call, for a rename too.
 * The event loop waits for none of them, and it pays for two messages a change.
 *
 * The thread's clock may show another time than ours. So the thread says first what it shows, and we add the difference
 * to each deadline. The message takes some time: the deadline is too early by that time, never too late.
 */

import { Worker } from "node:worker_threads";
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { CompleteResult } from "../blob-store.ts";
import type { Change, FolderWriter, Limits } from "./folder-writer.ts";
import type { FromThread, ThreadData, ToThread } from "./thread-messages.ts";

/** The text of the thread's program. The build puts it in. */
declare const WEIR_FOLDER_THREAD: string | undefined;

/**
 * How many bytes of values the thread may have copies of: four of the largest that a node buffers by default. One value
 * alone may be larger.
 */
const maxCopiedBytes = 16 * 1024 ** 2;

type Waiting = Omit<PromiseWithResolvers<CompleteResult>, "promise">;

interface Thread {
  readonly worker: Worker;
  /** Resolves to what the thread's clock is ahead of ours, in milliseconds. */
  readonly aheadMs: Promise<number>;
}

export class ThreadWriter implements FolderWriter {
  readonly #root: string;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  readonly #underWay = new Set<Promise<unknown>>();
  #copiedBytes = 0;
  #waitingForRoom: (() => void)[] = [];
  #thread: Thread | undefined;
  #lastId = 0;
  #isEnding = false;

  /** @param root The folder's absolute path. */
  constructor(root: string, clock: Clock) {
    this.#root = root;
    this.#clock = clock;
  }

  change(change: Change, limits: Limits): Promise<CompleteResult> {
    if (this.#isEnding) return Promise.reject(ended());
    const work = this.#change(change, limits).finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
    return work;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    await Promise.allSettled(this.#underWay);
    if (this.#thread === undefined) return;
    const { worker } = this.#thread;
    worker.ref();
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    worker.postMessage({ kind: "end" } satisfies ToThread);
    await ended;
  }

  async #change(change: Change, limits: Limits): Promise<CompleteResult> {
    const bytes = change.kind === "write" ? change.content.body.length : 0;
    while (this.#copiedBytes > 0 && this.#copiedBytes + bytes > maxCopiedBytes) {
      await new Promise<void>((resolve) => this.#waitingForRoom.push(resolve));
    }
    this.#copiedBytes += bytes;
    try {
      return await this.#ask(change, limits);
    } finally {
      this.#copiedBytes -= bytes;
      for (const resolve of this.#waitingForRoom.splice(0)) resolve();
    }
  }

  async #ask(change: Change, { giveUpAt, authorize }: Limits): Promise<CompleteResult> {
    this.#thread ??= this.#start();
    const { worker, aheadMs } = this.#thread;
    const ahead = await aheadMs;
    const { promise, ...waiting } = Promise.withResolvers<CompleteResult>();
    const id = ++this.#lastId;
    const own = withOwnBody(change);
    authorize?.();
    const message: ToThread = { kind: "change", id, change: own, giveUpAt: giveUpAt + ahead };
    worker.postMessage(message, own.kind === "write" ? [own.content.body.buffer as ArrayBuffer] : []);
    this.#waiting.set(id, waiting);
    return await promise;
  }

  #start(): Thread {
    const options = { workerData: { root: this.#root } satisfies ThreadData };
    const worker =
      typeof WEIR_FOLDER_THREAD === "undefined"
        ? new Worker(new URL("../../folder-thread.ts", import.meta.url), options)
        : new Worker(WEIR_FOLDER_THREAD, { ...options, eval: true });
    // A store that nobody disposes of keeps no process alive. An error in the thread is a bug: nobody listens to it, so
    // it ends the process.
    worker.unref();
    worker.once("exit", () => assert(this.#isEnding, "the thread ends when it is told to"));
    const ready = Promise.withResolvers<number>();
    worker.on("message", (message: FromThread) => {
      if (message.kind === "ready") ready.resolve(message.now - this.#clock.now());
      else this.#answered(message);
    });
    return { worker, aheadMs: ready.promise };
  }

  #answered(message: Exclude<FromThread, { readonly kind: "ready" }>): void {
    const waiting = this.#waiting.get(message.id);
    assert(waiting !== undefined, "the thread answers what it was asked");
    this.#waiting.delete(message.id);
    if (message.kind === "done") waiting.resolve(message.result);
    else waiting.reject(new OperatingError(message.failure.code, message.failure.message, message.failure));
  }
}

/** The change, with a body in memory of its own, which the thread takes over. */
function withOwnBody(change: Change): Change {
  if (change.kind !== "write") return change;
  return { ...change, content: { ...change.content, body: new Uint8Array(change.content.body) } };
}

function ended(): OperatingError {
  return new OperatingError("shutting_down", "the store is no longer in use", { neverSent: true });
}
