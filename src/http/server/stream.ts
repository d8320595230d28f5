/**
 * Answers whose body is a stream, as fast as the client takes it. If the stream breaks off, the head is already out. So
 * the connection is cut: the client sees that there should be more.
 */

import type { ServerResponse } from "node:http";
import type { Clock } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { free } from "../../base/memory.ts";
import type { Share } from "../../base/shares.ts";
import type { ValueStream } from "../../core/operation.ts";
import { type Exchange, type HeaderList, writeHead } from "./exchange.ts";
import type { NodeShares } from "./node-shares.ts";
import { Patience, type PatienceSettings } from "./patience.ts";

export class AnswerStreams {
  readonly #clock: Clock;
  readonly #settings: PatienceSettings;
  readonly #shares: NodeShares;

  constructor(clock: Clock, settings: PatienceSettings, shares: NodeShares) {
    this.#clock = clock;
    this.#settings = settings;
    this.#shares = shares;
  }

  /**
   * Takes one of the caller's places for downloads. If another caller that has fewer needs it, an answer that has begun
   * is cut, and one that has not is a refusal.
   *
   * @throws OperatingError `overloaded`
   */
  takePlace(exchange: Exchange): Share {
    const place = this.#shares.take("downloads", exchange, 1, () => {
      place?.release();
      if (exchange.response.headersSent) exchange.response.destroy();
      return true;
    });
    if (!place) throw tooManyDownloads();
    return place;
  }

  /**
   * `headers` must contain `Content-Length`. Disposes of the stream.
   *
   * @throws OperatingError `overloaded` if the place was given up meanwhile
   */
  async answer(
    exchange: Exchange,
    place: Share,
    status: number,
    headers: HeaderList,
    stream: ValueStream,
  ): Promise<void> {
    const { response } = exchange;
    await using _ = stream;
    if (response.destroyed) return;
    if (!place.isTaken) throw tooManyDownloads();
    writeHead(exchange, status, headers);
    const patience = new Patience(this.#settings);
    // A client that has cut the connection knows. A failure of the store goes to the caller, who cuts the connection
    // too.
    for await (const chunk of stream) {
      const { length } = chunk;
      if (!write(response, chunk)) await this.#writable(response, patience, length);
      if (response.destroyed) return;
    }
    response.end();
  }

  /** Resolves when there is room for more, or the connection is gone. A client that reads too slowly is cut off. */
  #writable(response: ServerResponse, patience: Patience, bytes: number): Promise<void> {
    return new Promise((resolve) => {
      const since = this.#clock.now();
      const done = (): void => {
        timer.cancel();
        response.off("drain", done).off("close", done);
        patience.moved(bytes, this.#clock.now() - since);
        resolve();
      };
      const timer = this.#clock.after(patience.leftMs, () => response.destroy());
      response.on("drain", done).on("close", done);
      if (response.destroyed) done();
    });
  }
}

/** False if there is no room for more. The chunk is freed once it has been sent. */
function write(response: ServerResponse, chunk: Uint8Array): boolean {
  return response.write(chunk, (error) => {
    if (!error) free(chunk);
  });
}

function tooManyDownloads(): OperatingError {
  return new OperatingError("overloaded", "too many large values are being read through this node");
}
