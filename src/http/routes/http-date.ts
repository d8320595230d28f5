/** Dates as HTTP writes them: to the second, in GMT (RFC 9110, section 5.6.7). */

import type { Clock } from "../../base/clock.ts";

/** Enough to remember the dates of values that were written within a quarter of an hour. */
const slots = 1024;

/** Formats dates of values and remembers recent ones. Formatting a date costs as much as a good part of an answer. */
export class DateFormatter {
  readonly #clock: Clock;
  readonly #seconds: Float64Array = new Float64Array(slots).fill(-1);
  readonly #texts: string[] = Array.from({ length: slots }, () => "");

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * `Last-Modified` of a value that was written `ms` milliseconds after 1970. That time is by another node's or the
   * store's clock. The result is never later than this node's own clock, which dates the answer (RFC 9110, section
   * 8.8.2.1). A fraction of a second is cut off.
   */
  lastModified(ms: number): string {
    const second = Math.floor(Math.min(ms, this.#clock.wallMs()) / 1000);
    const slot = second & (slots - 1);
    if (this.#seconds[slot] !== second) {
      this.#texts[slot] = new Date(second * 1000).toUTCString();
      this.#seconds[slot] = second;
    }
    return this.#texts[slot] as string;
  }
}

const fixdate = /^\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const rfc850 = /^\w{6,9}, \d{2}-\w{3}-\d{2} \d{2}:\d{2}:\d{2} GMT$/;
const asctime = /^\w{3} \w{3} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/** Whole seconds since 1970. Undefined for a text in none of HTTP's three forms of a date. */
export function parseHttpDate(text: string): number | undefined {
  let ms = Number.NaN;
  if (fixdate.test(text) || rfc850.test(text)) ms = Date.parse(text);
  else if (asctime.test(text)) ms = Date.parse(`${text} GMT`);
  return Number.isNaN(ms) ? undefined : ms / 1000;
}
