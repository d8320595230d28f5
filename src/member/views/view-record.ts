/**
 * The view's record in the store: read, and changed by compare-and-swap (V1). A swap's answer may be lost; then the
 * record is read back, and what it shows counts.
 */

import { assert } from "../../base/assert.ts";
import { sleep } from "../../base/clock.ts";
import { type ErrorCode, isNeverSent, isOperatingError, OperatingError, transientCodes } from "../../base/errors.ts";
import { vainCondition, vainLimit } from "../../core/vain-conditions.ts";
import { formatView, parseView, type View, viewName } from "../../core/view.ts";
import type { ContextOf } from "../context.ts";

type RecordContext = ContextOf<"store" | "clock" | "random" | "complaints">;

/** The view as the store has it. */
export interface StoredView {
  readonly view: View;
  /** For a swap on the condition that the record has not changed. */
  readonly tag: string;
  /** Whether a swap that this process sent before, whose outcome was unknown, may still take effect after this look. */
  readonly isOpen: boolean;
}

/** A view record is small: what has more bytes than this is not one. */
const maxViewBytes = 1 << 24;
const requestDeadlineMs = 5_000;
/** Pause after a failure, in milliseconds; a random part of it is added. */
const failurePauseMs = 200;

export class ViewRecord {
  readonly #context: RecordContext;
  /**
   * The tags on whose condition swaps of unknown outcome were sent; empty for the condition that there is no record.
   * Tags never come back (V2). So a swap is over once a later look has found another tag, and not before: no time
   * bounds when the store does it (F24).
   */
  readonly #open = new Set<string>();
  /** The tag on whose condition the last swap was refused; empty for the condition that there is no record. */
  #refused: string | undefined;
  /** What was read last: mostly the record is as it was. */
  #read: { readonly body: Buffer; readonly view: View } | undefined;
  /** How often in a row a record that was read has shown just what the refused swap before it asked for. */
  #vain = 0;

  constructor(context: RecordContext) {
    this.#context = context;
  }

  /** Whether a swap of unknown outcome may still take effect, although the record did not show it when it was read. */
  get isOpen(): boolean {
    return this.#open.size > 0;
  }

  /**
   * The record; undefined when there is none.
   *
   * @param deadlineMs - after so many milliseconds the read has failed
   * @throws OperatingError of the store; `store_refused` when what is there is not a view.
   */
  async read(deadlineMs: number = requestDeadlineMs): Promise<StoredView | undefined> {
    const openBefore = [...this.#open];
    const result = await this.#context.store.read(viewName, maxViewBytes, { deadlineMs, isUrgent: true });
    const tag = result.kind === "found" ? result.blob.tag : result.kind === "missing" ? "" : result.info.tag;
    // What was sent since then may have its condition fulfilled after what is shown.
    for (const each of openBefore) if (each !== tag) this.#open.delete(each);
    this.#judge(tag);
    if (result.kind === "missing") return undefined;
    if (result.kind === "too_large")
      throw new OperatingError("store_refused", `${viewName} in the store is not a view`);
    return { view: this.#parse(result.blob.body), tag, isOpen: this.isOpen };
  }

  /**
   * Reads until the store answers. Errors that are transient are borne, and those with a code in `also`.
   *
   * @throws OperatingError any other one of the store; the signal's reason when the signal is aborted.
   */
  async readPatiently(signal: AbortSignal, ...also: ErrorCode[]): Promise<StoredView | undefined> {
    const { clock, complaints, random } = this.#context;
    for (;;) {
      try {
        return await this.read();
      } catch (error) {
        if (!isOperatingError(error, ...transientCodes, ...also)) throw error;
        complaints.warn("view", "the view cannot be read from the store and will be tried again", { error });
        await sleep(clock, failurePauseMs * (1 + random.next()), signal);
      }
    }
  }

  /**
   * Swaps `next` in for what was read (undefined: for no record). An answer that leaves the outcome open is resolved by
   * reading back, for as long as that takes.
   *
   * @returns whether this swap won
   * @throws OperatingError `store_refused`; the signal's reason when the signal is aborted while the record is read
   * back.
   */
  async swap(read: StoredView | undefined, next: View, signal: AbortSignal): Promise<boolean> {
    assert(read?.view.proposal !== next.proposal, "each proposal has an id of its own");
    assert(next.epoch >= (read?.view.epoch ?? 1), "epochs only grow");
    const content = { body: formatView(next), headers: { "content-type": "application/json" } };
    const condition = read ? ({ kind: "unchanged", tag: read.tag } as const) : ({ kind: "absent" } as const);
    try {
      const options = { deadlineMs: requestDeadlineMs, isUrgent: true };
      const { kind } = await this.#context.store.write(viewName, content, condition, options);
      this.#refused = kind === "written" ? undefined : (read?.tag ?? "");
      if (kind === "written") this.#vain = 0;
      // The record is another one now.
      this.#open.delete(read?.tag ?? "");
      return kind === "written";
    } catch (error) {
      if (!isOperatingError(error, ...transientCodes)) throw error;
      if (!isNeverSent(error)) this.#open.add(read?.tag ?? "");
      const stored = await this.readPatiently(signal);
      // Only the bytes of this very proposal say that it has won (V2).
      return stored?.view.proposal === next.proposal;
    }
  }

  /**
   * The same, again and again for as long as the record is as it was read. After that no swap for `next` can take
   * effect any more.
   *
   * @throws as {@link swap}; `store_unavailable` when the store's conditions on writes do not work.
   */
  async insist(read: StoredView, next: View, signal: AbortSignal): Promise<boolean> {
    const { clock, random } = this.#context;
    for (;;) {
      try {
        if (await this.swap(read, next, signal)) return true;
      } catch (error) {
        if (!isOperatingError(error, "store_refused") || !this.isOpen) throw error;
        throw new OperatingError(
          error.code,
          `${error.message}; an earlier attempt had no answer, and may still be done`,
        );
      }
      const stored = await this.readPatiently(signal);
      if (stored?.tag !== read.tag) return false;
      if (this.#vain >= vainLimit) throw vainCondition(stored.tag);
      await sleep(clock, failurePauseMs * (1 + random.next()), signal);
    }
  }

  #parse(body: Buffer): View {
    if (this.#read?.body.equals(body) !== true) this.#read = { body, view: parseView(body) };
    return this.#read.view;
  }

  /** The record was read, with this tag. After a swap that another one has beaten it is another than before. */
  #judge(tag: string): void {
    if (this.#refused === undefined) return;
    this.#vain = this.#refused === tag ? this.#vain + 1 : 0;
    this.#refused = undefined;
    if (this.#vain < vainLimit) return;
    this.#context.complaints.warn(
      "conditions",
      "no view can be changed: the store's conditions on writes do not work",
      {
        error: vainCondition(tag === "" ? undefined : tag),
      },
    );
  }
}
