/**
 * HTTP by hand over a socket: what a client library would normalise, refuse to send or hide goes out and comes back as
 * it is. Text is Latin-1 throughout: a character is a byte.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  readonly status: number;
  /** Lower-case names; those that occur more than once are joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export class RawConnection implements AsyncDisposable {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    // A reset is an end too; what came before it is what tests look at.
    socket.on("error", () => {});
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    await once(socket, "connect");
    return new RawConnection(socket);
  }

  send(data: string | Buffer): this {
    this.socket.write(data, "latin1");
    return this;
  }

  /** The next answer, informational ones included. `toHead`: it belongs to a HEAD request. */
  async answer(toHead = false): Promise<RawAnswer> {
    const headEnd = await this.#find("\r\n\r\n");
    const [statusLine = "", ...lines] = this.#take(headEnd).toString("latin1").split("\r\n");
    this.#take(4);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
    assert.ok(status >= 100, `a status line: ${statusLine}`);
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(":");
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`;
    }
    const bodiless = toHead || status < 200 || status === 204 || status === 304;
    const length = bodiless ? 0 : Number(headers["content-length"]);
    while (this.#received.length < length) await this.#more();
    return { status, headers, body: this.#take(length) };
  }

  /** What comes until the server closes the connection. */
  async rest(): Promise<string> {
    while (!this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#take(this.#received.length).toString("latin1");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.closed) return;
    this.socket.destroy();
    await once(this.socket, "close");
  }

  async #find(text: string): Promise<number> {
    for (;;) {
      const index = this.#received.indexOf(text);
      if (index >= 0) return index;
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    if (this.#ended) assert.fail(`the connection ended within an answer: ${this.#received.toString("latin1")}`);
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #take(length: number): Buffer {
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }
}

/** A request as it goes out. `headers` are whole lines; `Host` and, for a body, `Content-Length` are added. */
export function rawRequest(
  method: string,
  target: string,
  headers: readonly string[] = [],
  body?: string | Buffer,
): Buffer {
  const bytes = typeof body === "string" ? Buffer.from(body, "latin1") : body;
  const lines = [`${method} ${target} HTTP/1.1`, "Host: localhost", ...headers];
  if (bytes !== undefined) lines.push(`Content-Length: ${bytes.length}`);
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), bytes ?? Buffer.alloc(0)]);
}
