/**
 * Requests to a cluster from the command line, to the first node that answers. Keys are sent exactly as given. Error
 * answers become the OperatingErrors that they came from.
 */

import { isIP } from "node:net";
import type { Readable } from "node:stream";
import { type ConnectionOptions, checkServerIdentity } from "node:tls";
import { Agent, type Dispatcher, errors } from "undici";
import { type ErrorCode, errorKinds, OperatingError } from "../../base/errors.ts";
import type { Target, TargetTls } from "./target.ts";

/** A running node accepts a connection at once. If it takes longer, another node should be tried. */
const connectMs = 2_000;

/** Longer than a node takes to give up a request (`request.deadlineMs`). So the client sees the node's own answer. */
const defaultAnswerMs = 60_000;

export interface ClientRequest {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Path and query as they go on the wire. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Readable;
}

/** A node's answer of 400 and above. */
export class RefusedError extends OperatingError {
  /** How long the node asks to wait before another try, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, message: string, retryAfterMs: number) {
    super(code, message);
    this.retryAfterMs = retryAfterMs;
  }
}

export interface ClientAnswer {
  readonly status: number;
  /** Names are in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
  /** The node that answered. */
  readonly url: string;
}

export class ClusterClient implements AsyncDisposable {
  readonly #urls: readonly string[];
  readonly #authorization: Readonly<Record<string, string>>;
  readonly #agent: Agent;

  /** @param answerMs Milliseconds for an answer, and for each further piece of it. */
  constructor({ urls, token, tls }: Target, answerMs = defaultAnswerMs) {
    this.#urls = urls;
    this.#authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    this.#agent = new Agent({
      connect: { timeout: Math.min(connectMs, answerMs), ...connectTls(tls) },
      headersTimeout: answerMs,
      bodyTimeout: answerMs,
    });
  }

  /**
   * Sends a request to the first node whose `/readyz` answers 200, or else to the first that answers at all.
   *
   * @throws OperatingError with the code of an answer of 400 and above. `peer_unreachable` when nothing answers, or
   * another program than a node.
   */
  async request(request: ClientRequest): Promise<ClientAnswer> {
    const url = await this.#pick();
    let answer: Dispatcher.ResponseData;
    try {
      // The agent takes origin and path apart. So no dots in a key are normalised away.
      answer = await this.#agent.request({
        origin: url,
        path: request.path,
        method: request.method,
        headers: { ...request.headers, ...this.#authorization },
        body: request.body ?? null,
      });
    } catch (cause) {
      if (cause instanceof errors.InvalidArgumentError) {
        throw new OperatingError("header_invalid", `the request can't be sent: ${cause.message}`, { cause });
      }
      const code = tlsReasonOf(innermost(cause)) === undefined ? "peer_unreachable" : "config_invalid";
      throw new OperatingError(code, `no answer from ${url}: ${reasonOf(cause, url)}`, { cause });
    }
    const headers = Object.fromEntries(
      Object.entries(answer.headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(", ") : (value ?? ""),
      ]),
    );
    if (answer.statusCode >= 400) throw await problemOf(answer.statusCode, headers, answer.body, url);
    // A load balancer may redirect, and another program may listen there: only a node names a value's version.
    if (answer.statusCode >= 300 || (namesVersion(request) && headers["weir-version"] === undefined)) {
      // What it says is of no use, nor how that ends.
      await answer.body.dump().catch(() => undefined);
      const to = headers["location"] === undefined ? "" : ` with a redirect to ${headers["location"]}`;
      throw new OperatingError("peer_unreachable", `${url} answered ${answer.statusCode}${to}; is it a node of weir?`);
    }
    return { status: answer.statusCode, headers, body: answer.body, url };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  /** With several nodes, asks before it sends: a body that has begun cannot be sent again. */
  async #pick(): Promise<string> {
    const [only] = this.#urls;
    if (this.#urls.length === 1 && only !== undefined) return only;
    const reasons: string[] = [];
    let answering: string | undefined;
    for (const url of this.#urls) {
      try {
        const answer = await this.#agent.request({
          origin: url,
          path: "/readyz",
          method: "GET",
          headersTimeout: connectMs,
        });
        await answer.body.dump();
        if (answer.statusCode === 200) return url;
        answering ??= url;
      } catch (error) {
        reasons.push(`${url}: ${reasonOf(error, url)}`);
      }
    }
    if (answering !== undefined) return answering;
    throw new OperatingError("peer_unreachable", `no node answers:\n      ${reasons.join("\n      ")}`);
  }
}

/** Whether each answer of a node that is no error names a version: reads and writes of one key do, listings do not. */
function namesVersion({ method, path }: ClientRequest): boolean {
  return method === "PUT" || method === "DELETE" || (method === "GET" && /^\/kv\/[^?]/.test(path));
}

/** The path of `key`. */
export function keyPath(key: string): string {
  return `/kv/${encodeKey(key)}`;
}

/** Percent-encoded, but with its slashes. */
export function encodeKey(key: string): string {
  return key.split("/").map(encodeURIComponent).join("/");
}

/** The ETag of an answer without its quotes. Empty if it has none. */
export function etagOf({ headers }: ClientAnswer): string {
  return (headers["etag"] ?? "").replaceAll('"', "");
}

/** For an answer that this version does not expect. Another program or another release may have given it. */
export function foreignAnswer({ url }: ClientAnswer): OperatingError {
  return new OperatingError("peer_unreachable", `${url} does not answer as a node of this version of weir`);
}

/** @throws OperatingError `peer_unreachable` if the answer breaks off. */
export async function readText(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of body) chunks.push(chunk as Buffer);
  } catch (cause) {
    throw new OperatingError("peer_unreachable", `the answer broke off: ${(cause as Error).message}`, { cause });
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Undefined for a text that is not JSON, which every schema refuses. Another program may have answered. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function connectTls({
  host,
  ...rest
}: TargetTls): TargetTls & Pick<ConnectionOptions, "servername" | "checkServerIdentity"> {
  if (host === undefined) return rest;
  return {
    ...rest,
    ...(isIP(host) === 0 && { servername: host }),
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
  };
}

/** Connection errors wrap each other. The innermost one has the reason. */
function innermost(error: unknown): unknown {
  if (error instanceof AggregateError) return innermost(error.errors[0]);
  return error instanceof Error && error.cause !== undefined ? innermost(error.cause) : error;
}

function reasonOf(outer: unknown, url: string): string {
  const error = innermost(outer);
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ECONNREFUSED") return "nothing listens there";
  if (code === "ENOTFOUND") return "the host's name is unknown";
  if (code === "UND_ERR_CONNECT_TIMEOUT") return "no connection in time";
  // A node closes the connection without a word in two cases. The client does not speak TLS to a node with TLS, or TLS
  // to one without. Or it shows no certificate where the node wants one.
  if (code === "UND_ERR_SOCKET" || code === "ECONNRESET") {
    const maybe = url.startsWith("https:") ? "wants a client certificate: --cert and --key" : "speaks TLS: https://";
    return `it closed the connection (perhaps it ${maybe})`;
  }
  return tlsReasonOf(error) ?? error.message;
}

/**
 * The reason if something answers there, but only other settings of the caller or the node help. Otherwise undefined.
 */
function tlsReasonOf(error: unknown): string | undefined {
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (/SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)/.test(code)) {
    return `its certificate is from an authority that is unknown here; name that authority's file with --ca (${code})`;
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return message;
  if (code === "CERT_HAS_EXPIRED") return "its certificate has expired";
  if (code === "CERT_NOT_YET_VALID") return "its certificate is not valid yet; is the clock of this host right?";
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/.test(code)) return "it does not speak TLS: write http://";
  if (/ALERT_(?:CERTIFICATE_REQUIRED|UNKNOWN_CA|BAD_CERTIFICATE|HANDSHAKE_FAILURE)/.test(code)) {
    return `it wants a client certificate that it trusts: --cert and --key (${code})`;
  }
  return undefined;
}

async function problemOf(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Readable,
  url: string,
): Promise<OperatingError> {
  const text = await readText(body);
  if (headers["content-type"]?.startsWith("application/problem+json")) {
    const { code, detail = "" } = (parseJson(text) ?? {}) as { code?: string; detail?: string };
    if (code !== undefined && Object.hasOwn(errorKinds, code)) {
      const seconds = Number(headers["retry-after"] ?? 0);
      return new RefusedError(code as ErrorCode, `${detail} (${code}, ${status})`, 1_000 * (seconds || 0));
    }
    return new OperatingError("peer_unreachable", `${url} answered ${status}: ${detail}`);
  }
  return new OperatingError("peer_unreachable", `${url} answered ${status}; is it a node of weir?`);
}
