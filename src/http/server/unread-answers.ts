/**
 * Answers that their clients have not read. The system's buffers are full, and the rest is kept here. A slow client
 * holds memory for a bounded time only. All of them together hold a bounded number of bytes. Above that, answers to the
 * caller that has most are cut: its clients see a connection that ends before the answer does.
 */

import type { ServerResponse } from "node:http";
import type { Clock, Instant } from "../../base/clock.ts";
import { Deadlines, type Expiring } from "../../base/deadlines.ts";
import type { Share } from "../../base/shares.ts";
import { type Exchange, headBytes } from "./exchange.ts";
import { holderOf, type NodeShares } from "./node-shares.ts";

export interface UnreadSettings {
  readonly answerTimeoutMs: number;
}

export class UnreadAnswers implements Disposable {
  readonly #deadlines: Deadlines;
  readonly #shares: NodeShares;
  /** The longest waiting first: a Set keeps the order of insertion. */
  readonly #answers = new Set<Unread>();

  constructor(clock: Clock, settings: UnreadSettings, shares: NodeShares) {
    this.#deadlines = new Deadlines(clock, settings.answerTimeoutMs);
    this.#shares = shares;
  }

  /** Adds an answer whose last byte was written but not yet taken by the system. */
  add(exchange: Exchange): void {
    const { request, response } = exchange;
    const bytes = response.writableLength + headBytes(request);
    const answer = new Unread(response);
    const cut = (each: Unread): boolean => {
      this.#remove(each);
      each.expire();
      return true;
    };
    const take = (): Share | undefined => this.#shares.take("unread_bytes", exchange, bytes, () => cut(answer));
    answer.share = take();
    while (!answer.share) {
      // Of the same caller's answers, the one that has waited longest is the least likely to be read.
      const oldest = this.#oldestOf(holderOf(exchange));
      if (!oldest) {
        answer.expire();
        return;
      }
      cut(oldest);
      answer.share = take();
    }
    this.#answers.add(answer);
    this.#deadlines.add(answer);
    response.once("close", () => this.#remove(answer));
  }

  #oldestOf(holder: string): Unread | undefined {
    for (const each of this.#answers) if (each.share?.holder.name === holder) return each;
    return undefined;
  }

  [Symbol.dispose](): void {
    this.#deadlines.stop();
  }

  #remove(answer: Unread): void {
    if (!this.#answers.delete(answer)) return;
    this.#deadlines.remove(answer);
    answer.share?.release();
  }
}

class Unread implements Expiring {
  due: Instant = 0;
  before: Expiring | undefined = undefined;
  after: Expiring | undefined = undefined;
  share: Share | undefined;
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  expire(): void {
    this.#response.destroy();
  }
}
