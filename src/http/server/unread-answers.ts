/**
 * Answers that their clients have not read. The system's buffers are full, and the rest is kept here. A slow client
 * holds memory for a bounded time only. All of them together hold a bounded number of bytes. Above that, the answers
 * that wait longest are cut: their clients see a connection that ends before the answer does.
 */

import type { ServerResponse } from "node:http";
import { assert } from "../../base/assert.ts";
import type { Clock, Instant } from "../../base/clock.ts";
import { Deadlines, type Expiring } from "../../base/deadlines.ts";

export interface UnreadSettings {
  readonly answerTimeoutMs: number;
  readonly unreadBytes: number;
}

export class UnreadAnswers implements Disposable {
  readonly #settings: UnreadSettings;
  readonly #deadlines: Deadlines;
  /** The longest waiting first: a Set keeps the order of insertion. */
  readonly #answers = new Set<Unread>();
  #bytes = 0;

  constructor(clock: Clock, settings: UnreadSettings) {
    this.#settings = settings;
    this.#deadlines = new Deadlines(clock, settings.answerTimeoutMs);
  }

  /** Bytes of unread answers that the system did not take at once. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds an answer whose last byte was written but not yet taken by the system. */
  add(response: ServerResponse): void {
    const answer = new Unread(response);
    this.#answers.add(answer);
    this.#deadlines.add(answer);
    this.#bytes += answer.bytes;
    response.once("close", () => this.#remove(answer));
    for (const each of this.#answers) {
      if (this.#bytes <= this.#settings.unreadBytes) break;
      this.#remove(each);
      each.expire();
    }
  }

  [Symbol.dispose](): void {
    this.#deadlines.stop();
  }

  #remove(answer: Unread): void {
    if (!this.#answers.delete(answer)) return;
    this.#deadlines.remove(answer);
    this.#bytes -= answer.bytes;
    assert(this.#bytes >= 0, "no more bytes are read than were unread");
  }
}

class Unread implements Expiring {
  due: Instant = 0;
  readonly bytes: number;
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
    this.bytes = response.writableLength;
  }

  expire(): void {
    this.#response.destroy();
  }
}
