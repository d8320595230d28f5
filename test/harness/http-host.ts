/** The server for clients over {@link MemoryOperations}, listening on a free port, as the tests of HTTP use it. */

import assert from "node:assert/strict";
import { Access } from "../../src/access/access.ts";
import { Complaints, complaintIntervalMs } from "../../src/base/complaints.ts";
import type { ErrorCode } from "../../src/base/errors.ts";
import type { Log, LogFields } from "../../src/base/log.ts";
import { RequestRouter } from "../../src/http/request-router.ts";
import { Bodies } from "../../src/http/server/body.ts";
import { Cors } from "../../src/http/server/cors.ts";
import type { DialectParts } from "../../src/http/server/dialect.ts";
import { defaultHttpSettings, type HttpSettings } from "../../src/http/server/http-settings.ts";
import { HttpMetrics } from "../../src/http/server/metrics.ts";
import { NodeShares } from "../../src/http/server/node-shares.ts";
import type { Problem } from "../../src/http/server/problem.ts";
import { createHttpServer, type HttpServer, type HttpServerOptions } from "../../src/http/server.ts";
import { Buckets, type S3Rules } from "../../src/s3/buckets.ts";
import { S3Front } from "../../src/s3/s3-front.ts";
import { ClientUploads } from "../../src/s3/uploads/client-uploads.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { MemoryAdministration } from "./memory-administration.ts";
import { MemoryNode } from "./memory-node.ts";
import { MemoryOperations } from "./memory-operations.ts";
import { type RawAnswer, RawConnection, rawRequest } from "./raw-http.ts";

const noBuckets: S3Rules = { buckets: [], createBuckets: false, domain: undefined };

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields | undefined;
}

type MoreOptions = Pick<HttpServerOptions, "onUpgrade" | "spare" | "upgradeProtocol" | "tls"> & {
  /** Clients may speak S3, too. */
  readonly s3?: S3Rules;
  /** A port of its own for S3. */
  readonly s3Alone?: boolean;
};

export class HttpHost implements AsyncDisposable {
  readonly operations = new MemoryOperations();
  readonly administration = new MemoryAdministration();
  readonly node = new MemoryNode();
  readonly access = new Access({ names: ["test", "a"] });
  /** What was logged above the level of debug. */
  readonly lines: LogLine[] = [];
  readonly debugLines: LogLine[] = [];
  readonly log: Log;
  readonly server: HttpServer;
  readonly buckets: Buckets;
  readonly uploads: ClientUploads;
  port = 0;
  s3Port = 0;
  readonly #options: HttpServerOptions;

  private constructor(settings: Partial<HttpSettings>, { s3, s3Alone, ...more }: MoreOptions) {
    this.log = this.#log();
    this.buckets = new Buckets(() => this.operations, systemClock, s3 ?? noBuckets);
    const operations = (): MemoryOperations => this.operations;
    const complaints = new Complaints(this.log, systemClock, complaintIntervalMs);
    this.uploads = new ClientUploads({
      operations,
      clock: systemClock,
      random: systemRandom,
      complaints,
      leftoverMs: 3_600_000,
    });
    const all = { ...defaultHttpSettings, port: 0, ...settings };
    const make = (parts: DialectParts): S3Front => {
      const { access, buckets, uploads, log } = this;
      const ports = { clock: systemClock, random: systemRandom, log };
      return new S3Front({ operations, access, buckets, uploads, settings: all, ...ports }, parts);
    };
    this.#options = {
      operations: () => this.operations,
      onScrape: () => Promise.resolve({ contentType: "text/plain", text: "up 1\n" }),
      dashboard: { policy: "default-src 'none'", render: () => "<p>up" },
      administration: () => this.administration,
      node: this.node,
      access: this.access,
      settings: all,
      clock: systemClock,
      log: this.log,
      ...more,
      ...(s3 && { dialect: { make, port: s3Alone ? 0 : undefined } }),
    };
    this.server = createHttpServer(this.#options);
  }

  static async start(settings: Partial<HttpSettings> = {}, more: MoreOptions = {}): Promise<HttpHost> {
    const host = new HttpHost(settings, more);
    const { port, dialectPort } = await host.server.listen();
    host.port = port;
    host.s3Port = dialectPort ?? 0;
    return host;
  }

  /** Every route that it has, by its path, or the part of it before the key. */
  get routes(): RequestRouter["routes"] {
    const { settings, clock } = this.#options;
    const shares = new NodeShares(settings);
    return new RequestRouter(
      this.#options,
      new Bodies(clock, settings, shares),
      shares,
      new Cors(settings.cors),
      new HttpMetrics(),
    ).routes;
  }

  connect(): Promise<RawConnection> {
    return RawConnection.open(this.port);
  }

  /** One request on a connection of its own. */
  async request(method: string, target: string, headers: string[] = [], body?: string | Buffer): Promise<RawAnswer> {
    await using connection = await this.connect();
    return await connection.send(rawRequest(method, target, headers, body)).answer(method === "HEAD");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.uploads[Symbol.dispose]();
  }

  #log(): Log {
    const at =
      (level: string) =>
      (message: string, fields?: LogFields): void => {
        (level === "debug" ? this.debugLines : this.lines).push({ level, message, fields });
      };
    const debug: Log["debug"] = (message, fields) => at("debug")(message, fields?.());
    const log: Log = { debug, info: at("info"), warn: at("warn"), error: at("error"), child: () => log };
    return log;
  }
}

/** Asserts that it is a problem answer with this code, in full, and returns it. */
export function assertProblem(answer: RawAnswer, status: number, code: ErrorCode): Problem {
  const text = answer.body.toString("utf8");
  assert.equal(answer.status, status, text);
  assert.equal(answer.headers["content-type"], "application/problem+json");
  const problem = JSON.parse(text) as Problem;
  assert.equal(problem.code, code, text);
  assert.equal(problem.status, status);
  assert.equal(problem.type, `urn:weir:error:${code}`);
  for (const field of ["title", "detail", "advice"] as const) assert.match(problem[field], /\w/);
  assert.equal(answer.headers["retry-after"], status === 503 ? "1" : undefined);
  return problem;
}

/** Asserts that it is an answer of the old API, and returns its message. */
export function assertMessage(answer: RawAnswer, status: number): string {
  const text = answer.body.toString("utf8");
  assert.equal(answer.status, status, text);
  assert.equal(answer.headers["content-type"], "application/json");
  const json = JSON.parse(text) as { msg: string };
  assert.deepEqual(Object.keys(json), ["msg"]);
  assert.equal(answer.headers["retry-after"], status === 503 ? "1" : undefined);
  return json.msg;
}
