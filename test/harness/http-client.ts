/**
 * Requests as a client of a node sends them: paths and headers go out as they are given, answers come back whole. No
 * retries, and no errors for statuses: a test judges those.
 */

import { Agent, type Dispatcher } from "undici";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  /** The stable `code` of a problem answer; undefined in others. */
  readonly code: string | undefined;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** Longer than any operation of a node takes: what has no answer by then never gets one. */
const answerMs = 60_000;

export interface HttpClientOptions {
  /** Sent with each request that names none itself. */
  readonly token?: string | undefined;
  /** For nodes with TLS, in PEM. */
  readonly tls?: ClientTls | undefined;
}

export interface ClientTls {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
}

export class HttpClient implements AsyncDisposable {
  readonly #agent: Agent;
  readonly #ownHeaders: Readonly<Record<string, string>>;

  constructor({ token, tls }: HttpClientOptions = {}) {
    const limits = { headersTimeout: answerMs, bodyTimeout: answerMs, connections: 256 };
    this.#agent = new Agent({ ...limits, connect: { timeout: answerMs, ...tls } });
    this.#ownHeaders = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** Rejects only when there is no whole answer. `path` is sent as it is. */
  async request(
    origin: string,
    method: Dispatcher.HttpMethod,
    path: string,
    options: RequestOptions = {},
  ): Promise<Answer> {
    const { body } = options;
    const headers = { ...this.#ownHeaders, ...options.headers };
    const answer = await this.#agent.request({ origin, method, path, headers, ...(body !== undefined && { body }) });
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    const flat = Object.entries(answer.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : value,
    ]);
    return {
      status: answer.statusCode,
      headers: Object.fromEntries(flat) as Record<string, string | undefined>,
      body: bytes,
      code: codeOf(answer.headers["content-type"], bytes),
    };
  }

  async json(origin: string, path: string): Promise<unknown> {
    return JSON.parse((await this.request(origin, "GET", path)).body.toString());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }
}

/** The path of a key: every byte that may be taken for something else is encoded. */
export function pathOf(key: string): string {
  return `/kv/${encodeURIComponent(key)}`;
}

function codeOf(contentType: string | string[] | undefined, body: Buffer): string | undefined {
  if (contentType !== "application/problem+json" || body.length === 0) return undefined;
  return (JSON.parse(body.toString()) as { code: string }).code;
}
