/**
 * Stands between nodes and their S3 server: counts the requests, slows them down as a far and thin line would, holds
 * them back, or answers in the server's stead. It keeps nothing and changes nothing, so that signatures stay right.
 */

import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Instant, sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";

export interface Pace {
  /** Added to each request, in milliseconds. */
  readonly delayMs?: number;
  /** Of bodies, both ways together and of all requests together. */
  readonly bytesPerSecond?: number;
}

/** What the proxy says in the server's stead: S3's status and error code. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  /** Other requests pass; without it, none. */
  readonly only?: (method: string, url: string) => boolean;
}

export class StoreProxy implements AsyncDisposable {
  /** Each takes a request in its turn. */
  #targets: readonly URL[];
  #turn = 0;
  #pace: Pace;
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #counts = new Map<string, number>();
  /** When the line is free for the next body. */
  #lineFreeAt: Instant = 0;
  #bodyBytes = 0;
  #refusal: Refusal | undefined;
  #gate: PromiseWithResolvers<void> | undefined;

  private constructor(target: string | readonly string[], pace: Pace) {
    this.#targets = urlsOf(target);
    this.#pace = pace;
    this.#server = createServer((incoming, response) => {
      this.#serve(incoming, response).catch(() => {
        // Whichever side broke off, the other gets to see just that.
        response.destroy();
      });
    });
  }

  /** Before the server at the URL `target`, or several in turn; it listens on the address `host`. */
  static async start(target: string | readonly string[], pace: Pace = {}, host = "127.0.0.1"): Promise<StoreProxy> {
    const proxy = new StoreProxy(target, pace);
    await once(proxy.#server.listen(0, host), "listening");
    return proxy;
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${address}:${port}`;
  }

  /** Bytes of bodies that have passed, both ways. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** How fast requests pass from now on. */
  setPace(pace: Pace): void {
    this.#pace = pace;
    this.#lineFreeAt = 0;
  }

  /** From now on requests go to the server at this URL, or to several in turn. Those under way stay where they are. */
  redirect(target: string | readonly string[]): void {
    this.#targets = urlsOf(target);
  }

  /** Requests that came for the object `key` of `bucket`. */
  count(method: string, bucket: string, key: string): number {
    return this.#counts.get(`${method} /${bucket}/${key}`) ?? 0;
  }

  /** Requests that came in all. */
  total(method: string): number {
    let sum = 0;
    for (const [name, count] of this.#counts) if (name.startsWith(`${method} `)) sum += count;
    return sum;
  }

  /** From now on requests get no answer, until {@link pass}. */
  hold(): void {
    this.#gate ??= Promise.withResolvers();
  }

  /** From now on all requests are refused, or those that the refusal is for, until {@link pass}. */
  refuse(refusal: Refusal): void {
    this.#refusal = refusal;
  }

  /** Requests go to the server again, those held back first. */
  pass(): void {
    this.#refusal = undefined;
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pass();
    this.#server.closeAllConnections();
    await once(this.#server.close(), "close");
    this.#agent.destroy();
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = incoming.url as string;
    const name = `${incoming.method} ${decodeURIComponent(url.split("?")[0] as string)}`;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    const body = await readAll(incoming);
    await this.#gate?.promise;
    if (this.#refusal && (this.#refusal.only?.(incoming.method as string, url) ?? true)) {
      const { status, code } = this.#refusal;
      const text = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code></Error>`;
      response.writeHead(status, { "content-type": "application/xml" });
      response.end(incoming.method === "HEAD" ? undefined : text);
      return;
    }
    await this.#travel(body.length);
    // A client that has given up meanwhile wants nothing stored any more.
    if (incoming.destroyed && !incoming.complete) return;
    const answer = await this.#forward(incoming, response, body);
    const answerBody = await readAll(answer);
    await this.#travel(answerBody.length, 0);
    response.writeHead(answer.statusCode as number, answer.rawHeaders);
    response.end(answerBody);
  }

  async #forward(incoming: IncomingMessage, response: ServerResponse, body: Buffer): Promise<IncomingMessage> {
    const { hostname, port } = this.#targets[this.#turn++ % this.#targets.length] as URL;
    const outgoing = request({
      agent: this.#agent,
      hostname,
      port,
      method: incoming.method as string,
      path: incoming.url as string,
      headers: incoming.rawHeaders,
    });
    response.once("close", () => {
      if (!response.writableEnded) outgoing.destroy();
    });
    outgoing.end(body);
    const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
    return answer;
  }

  /** The time that a request, or an answer, with a body of `bytes` takes on the line. */
  async #travel(bytes: number, delayMs = this.#pace.delayMs ?? 0): Promise<void> {
    this.#bodyBytes += bytes;
    const now = systemClock.now();
    const { bytesPerSecond = Number.POSITIVE_INFINITY } = this.#pace;
    this.#lineFreeAt = Math.max(now, this.#lineFreeAt) + (bytes / bytesPerSecond) * 1_000;
    const waitMs = this.#lineFreeAt - now + delayMs;
    if (waitMs > 0) await sleep(systemClock, waitMs);
  }
}

function urlsOf(target: string | readonly string[]): URL[] {
  return [target].flat().map((each) => new URL(each));
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
