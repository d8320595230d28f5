/**
 * Answers that may take minutes: the store puts the parts of an upload together, or copies a large value. Nothing would
 * move on the connection meanwhile, and the client, the node or a proxy would give it up. So the answer begins with its
 * status, and blanks follow until it is known, as S3 does it. A failure after that is S3's error in an answer with
 * status 200. Clients of S3 know that of these requests.
 */

import type { Clock, Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { writeHead } from "../http/server/exchange.ts";
import { detailFor } from "../http/server/problem.ts";
import { answerXml, requestIdHeader, type S3Call } from "./call.ts";
import { describeS3Failure } from "./s3-errors.ts";
import { element, xmlDeclaration, xmlError } from "./words/xml.ts";

/** Nothing is sent before that, and nothing for longer than that. */
const beatMs = 10_000;

export class SlowAnswers {
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Answers with the document that the work makes. Rejects as the work does if that is soon enough. */
  async answer(call: S3Call, work: () => Promise<string>): Promise<void> {
    const { response } = call.exchange;
    let hasBegun = false;
    let timer: Timer | undefined;
    const beat = (): void => {
      timer = this.#clock.after(beatMs, () => {
        if (response.destroyed) return;
        if (!hasBegun) begin(call);
        hasBegun = true;
        response.write(" ");
        beat();
      });
    };
    beat();
    let xml: string;
    try {
      xml = await work();
    } catch (error) {
      if (!hasBegun) throw error;
      xml = this.#errorXml(call, error);
    } finally {
      timer?.cancel();
    }
    if (hasBegun) response.end(xml.slice(xmlDeclaration.length));
    else answerXml(call, xml);
  }

  #errorXml({ exchange, target, requestId }: S3Call, error: unknown): string {
    const { s3Code, code, detail } = describeS3Failure(error, this.#log);
    this.#log.warn("a request failed after its answer had begun", { code, reason: detail, requestId });
    const inner = [
      element("Code", s3Code),
      element("Message", detailFor(exchange.grant, code, detail)),
      element("Resource", target.path),
      element("RequestId", requestId),
    ];
    return xmlError(inner.join(""));
  }
}

function begin({ exchange, requestId }: S3Call): void {
  writeHead(exchange, 200, ["Content-Type", "application/xml", requestIdHeader, requestId]);
  exchange.response.write(xmlDeclaration);
}
