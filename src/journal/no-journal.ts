/**
 * The journal that keeps nothing (`journal: "off"`). Each process begins with nothing, so each is a data folder of its
 * own.
 */

import { type Journal, nothingRecovered } from "./journal.ts";

/** @param folder - drawn for this process */
export function noJournal(folder: string): Journal {
  return {
    folder,
    position: { segment: 0, offset: 0 },
    recovered: nothingRecovered,
    lagMs: 0,
    attach: () => undefined,
    append: () => undefined,
    durable: () => undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
