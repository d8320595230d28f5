/** The server for clients, over node:http: its limits, its start and its end. The router knows what requests mean. */

import http, { type IncomingMessage, type ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { SecureContextOptions } from "node:tls";
import { noGrant } from "../access/grant.ts";
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { OperatingError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { SpareTime } from "../base/spare-time.ts";
import { RequestRouter, type RequestRouterOptions } from "./request-router.ts";
import { Bodies } from "./server/body.ts";
import { type ClientConnection, Connections } from "./server/connections.ts";
import { Cors } from "./server/cors.ts";
import type { Dialect, DialectOptions } from "./server/dialect.ts";
import { announcesBody, type Exchange, type Service } from "./server/exchange.ts";
import type { HttpSettings } from "./server/http-settings.ts";
import { HttpMetrics } from "./server/metrics.ts";
import { NodeShares } from "./server/node-shares.ts";
import { everyMethod } from "./server/route.ts";
import { UnreadAnswers } from "./server/unread-answers.ts";

export interface HttpServerOptions extends RequestRouterOptions {
  /** With it the server speaks TLS only. */
  readonly tls?: ServerTls | undefined;
  /**
   * Takes over connections whose request asks for `upgradeProtocol`. A request that asks for another protocol is served
   * as if it had not asked, as RFC 9110 says. Some clients offer HTTP/2 in this way with every request.
   */
  readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** In lower case. Given if and only if `onUpgrade` is given. */
  readonly upgradeProtocol?: string;
  /** Has streams leave time to small requests. Without it they take all that they can. */
  readonly spare?: Pick<SpareTime, "served" | "wait">;
  /** What clients may speak beside the node's own dialect. */
  readonly dialect?: DialectOptions;
}

/** In PEM. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  /** With it every client must show a certificate of one of these authorities. */
  readonly clientCa?: string | undefined;
}

export interface HttpServer extends AsyncDisposable {
  readonly metrics: HttpMetrics;
  /** What it has little of, and who has how much of it. */
  readonly shares: NodeShares;
  /** Open connections of clients. */
  readonly connections: number;

  /**
   * Begins to serve. Must be called once.
   *
   * @throws OperatingError `config_invalid` when the address cannot be had.
   */
  listen(): Promise<HttpAddress>;
  /** New connections use these. Whether the server asks for clients' certificates stays as it was at first. */
  setTls(tls: ServerTls): void;
  /**
   * From now on each connection ends with its next answer, so that clients that keep connections go elsewhere. The
   * server goes on serving.
   */
  sendAway(): void;
  /**
   * Does as {@link sendAway} does. Resolves when all requests under way are answered. Requests that take longer than
   * `finishMs` are cut.
   */
  finish(): Promise<void>;
  /**
   * Takes no more connections, finishes the requests under way, and ends. The taker of an upgraded connection keeps it.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface HttpAddress {
  readonly host: string;
  readonly port: number;
  /** The port that speaks the other dialect alone, if there is one. */
  readonly dialectPort: number | undefined;
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  return new NodeHttpServer(options);
}

/** At the end, clients that are still connecting are let in for at most so many milliseconds. */
const letInMs = 500;
/** The server closes in a turn that has taken no longer so far, in milliseconds. */
const shortTurnMs = 0.5;

/** What a request expects before it sends its body. */
type Expectation = "nothing" | "continue" | "unknown";

class NodeHttpServer implements HttpServer {
  readonly metrics = new HttpMetrics();
  readonly shares: NodeShares;
  readonly #settings: HttpSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onUpgrade: HttpServerOptions["onUpgrade"];
  readonly #upgradeProtocol: string | undefined;
  readonly #bodies: Bodies;
  readonly #unread: UnreadAnswers;
  readonly #cors: Cors;
  readonly #router: RequestRouter;
  readonly #connections: Connections;
  readonly #dialect: Dialect | undefined;
  readonly #dialectPort: number | undefined;
  readonly #server: http.Server;
  /** The server on the port that speaks the other dialect alone. */
  readonly #dialectServer: http.Server | undefined;
  readonly #service: Service;
  readonly #onCut = (connections: number): void =>
    this.#log.warn("cutting off requests that did not finish in time", { connections });
  #draining = false;
  /** How many connections were accepted so far. */
  #accepted = 0;

  constructor(options: HttpServerOptions) {
    const { settings } = options;
    assert(settings.inFlightBytes >= settings.maxValueBytes, "the largest value fits in flight");
    assert(
      (options.onUpgrade === undefined) === (options.upgradeProtocol === undefined),
      "who takes connections over says for which protocol",
    );
    this.#settings = settings;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onUpgrade = options.onUpgrade;
    this.#upgradeProtocol = options.upgradeProtocol;
    this.#service = { isEnding: false, keepAlive: `timeout=${Math.floor(settings.keepAliveMs / 1_000)}` };
    this.shares = new NodeShares(settings);
    this.#bodies = new Bodies(options.clock, settings, this.shares, options.spare);
    this.#unread = new UnreadAnswers(options.clock, settings, this.shares);
    this.#cors = new Cors(settings.cors);
    this.#router = new RequestRouter(options, this.#bodies, this.shares, this.#cors, this.metrics);
    this.#connections = new Connections(options.clock, this.shares, settings);
    const parts = { bodies: this.#bodies, shares: this.shares, cors: this.#cors, metrics: this.metrics };
    this.#dialect = options.dialect?.make(parts);
    this.#dialectPort = options.dialect?.port;
    this.#server = this.#createServer(options.tls, false);
    this.#dialectServer = this.#dialectPort === undefined ? undefined : this.#createServer(options.tls, true);
  }

  get connections(): number {
    return this.#connections.size;
  }

  async listen(): Promise<HttpAddress> {
    const { address, port } = await this.#listen(this.#server, this.#settings.port);
    if (this.#dialectServer === undefined) return { host: address, port, dialectPort: undefined };
    const other = await this.#listen(this.#dialectServer, this.#dialectPort as number);
    return { host: address, port, dialectPort: other.port };
  }

  async #listen(server: http.Server, port: number): Promise<AddressInfo> {
    const { host } = this.#settings;
    await new Promise<void>((resolve, reject) => {
      const onError = (cause: NodeJS.ErrnoException): void => {
        reject(
          new OperatingError("config_invalid", `cannot listen on ${host ?? "any address"}:${port}: ${cause.message}`, {
            cause,
          }),
        );
      };
      server.once("error", onError);
      server.listen(port, host, () => {
        server.off("error", onError);
        server.on("error", (error) => this.#log.error("the server for clients has failed", { error }));
        resolve();
      });
    });
    return server.address() as AddressInfo;
  }

  setTls(tls: ServerTls): void {
    for (const server of this.#servers) {
      assert(server instanceof https.Server, "a server speaks TLS from the beginning, or never");
      server.setSecureContext(secureOptions(tls));
    }
  }

  get #servers(): readonly http.Server[] {
    return this.#dialectServer === undefined ? [this.#server] : [this.#server, this.#dialectServer];
  }

  sendAway(): void {
    this.#service.isEnding = true;
  }

  finish(): Promise<void> {
    this.sendAway();
    return this.#connections.endBusy(this.#settings.finishMs, this.#onCut);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#letIn();
    this.#draining = true;
    for (const server of this.#servers) server.close();
    this.sendAway();
    await this.#connections.end(this.#settings.finishMs, this.#onCut);
    this.#bodies[Symbol.dispose]();
    this.#unread[Symbol.dispose]();
  }

  /**
   * Lets in the clients that wait for a connection, as far as possible. The system would reset the others when the
   * server closes. The runtime accepts one in each turn of its loop. Who comes later in a long turn is not seen in it.
   */
  async #letIn(): Promise<void> {
    // In this turn the runtime may already have looked for new connections.
    await nextTurn();
    const endAt = this.#clock.now() + letInMs;
    for (;;) {
      const before = this.#accepted;
      const beganAt = this.#clock.now();
      await nextTurn();
      const now = this.#clock.now();
      const isQuiet = this.#accepted === before && now - beganAt <= shortTurnMs;
      if (isQuiet || now >= endAt) return;
    }
  }

  /** @param isAlone Whether it speaks the other dialect alone. No peer calls there. */
  #createServer(tls: ServerTls | undefined, isAlone: boolean): http.Server {
    const settings = this.#settings;
    const options: http.ServerOptions = {
      maxHeaderSize: settings.maxHeaderBytes,
      headersTimeout: settings.headersTimeoutMs,
      // Bodies have a deadline of their own, with an answer.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.ceil(settings.headersTimeoutMs / 4),
      // quiet-connections.ts does it, for less.
      keepAliveTimeout: 0,
      // Strict even if the process was started otherwise: lenient parsers let attackers smuggle requests.
      insecureHTTPParser: false,
      // header-check.ts does it, with a proper answer.
      requireHostHeader: false,
      // A request without a body needs no stream. That saves a tenth of the cost of a GET.
      optimizeEmptyRequests: true,
      shouldUpgradeCallback: (request) => !isAlone && this.#shouldUpgrade(request),
    };
    const server = tls === undefined ? http.createServer(options) : createTlsServer(options, tls, settings);
    server.maxConnections = settings.connections + settings.spareConnections;
    // No limit on their number, since maxHeaderBytes bounds them. The runtime would silently drop headers beyond its
    // own limit.
    server.maxHeadersCount = 0;
    // A client that has shut down its side still gets its answer.
    (server as http.Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
    // The runtime's function also cuts connections whose last answer is not out yet. `finish` does not.
    server.closeIdleConnections = () => undefined;
    server.on("connection", (socket) => {
      this.#accepted++;
      this.#connections.enter(socket);
      if (tls === undefined) this.#connections.add(socket);
    });
    server.on("secureConnection", (socket: Socket) => {
      // Its handshake was under way when the server closed. Nothing else would end it, and it would keep the process
      // alive.
      if (this.#draining) socket.destroy();
      else this.#connections.add(socket);
    });
    server.on("request", (request, response) => this.#serve(request, response, "nothing", isAlone));
    server.on("checkContinue", (request, response) => this.#serve(request, response, "continue", isAlone));
    server.on("checkExpectation", (request, response) => this.#serve(request, response, "unknown", isAlone));
    server.on("clientError", (error, socket) => this.#connections.onClientError(error, socket));
    server.on("connect", (_request, socket) => {
      this.#connections.keepGoing(socket);
      this.#connections.refuse(socket, "method_not_allowed", "this is not a proxy", [`Allow: ${everyMethod}`]);
    });
    server.on("upgrade", (request, socket, head) => {
      this.#connections.remove(socket as Socket);
      assert(this.#onUpgrade !== undefined, "only what has a taker is upgraded");
      this.#onUpgrade(request, socket, head);
    });
    server.on("drop", () => this.#log.debug("a connection was refused: there are too many"));
    return server;
  }

  #serve(request: IncomingMessage, response: ServerResponse, expects: Expectation, isAlone: boolean): void {
    // The connection was cut, and the request came in one piece with one before it, or with the end of the handshake.
    if (request.socket.destroyed) return;
    const connection = this.#connections.get(request.socket);
    assert(connection !== undefined, "a request comes on an open connection");
    const earlier = connection.latest;
    const exchange = this.#begin(connection, request, response, expects === "continue");
    if (earlier === undefined || earlier.closing || earlier.response.closed) {
      this.#handle(connection, exchange, earlier, expects, isAlone);
    } else if (connection.waiting.size >= this.#settings.pipelinedRequests) {
      request.socket.destroy();
    } else {
      this.#handleLater(connection, exchange, earlier, expects, isAlone);
    }
  }

  /**
   * Pipelined requests are served one after the other: a read must see the write before it (RFC 9112, section 9.3.2).
   * The second comes in a later turn, also if the first is answered at once: one read may bring thousands.
   * It is a method of its own since the engine makes room for a closure's variables when their function begins.
   */
  #handleLater(
    connection: ClientConnection,
    exchange: Exchange,
    earlier: Exchange,
    expects: Expectation,
    isAlone: boolean,
  ): void {
    this.#connections.wait(connection, exchange, earlier, () =>
      this.#handle(connection, exchange, earlier, expects, isAlone),
    );
  }

  #handle(
    connection: ClientConnection,
    exchange: Exchange,
    earlier: Exchange | undefined,
    expects: Expectation,
    isAlone: boolean,
  ): void {
    const dialect = isAlone || this.#dialect?.speaks(exchange.request) ? this.#dialect : undefined;
    const router = dialect ?? this.#router;
    // An earlier answer told the client that later requests on this connection are not served (RFC 9112, section 9.6).
    // The client may already be sending this one again on another connection.
    if (earlier?.closing) exchange.closing = true;
    else if (connection.surplus && (dialect !== undefined || !this.#router.isForOperators(exchange)))
      router.refuse(exchange, "overloaded", "this node has too many connections");
    else if (expects === "unknown") router.refuse(exchange, "header_invalid", "Expect may only be 100-continue");
    // A rejection is a failed assertion. It must end the process.
    else void router.handle(exchange);
  }

  #begin(
    connection: ClientConnection,
    request: IncomingMessage,
    response: ServerResponse,
    awaitsContinue: boolean,
  ): Exchange {
    const exchange: Exchange = {
      request,
      response,
      always: this.#cors.headersFor(request),
      unread: this.#unread,
      grant: noGrant,
      place: undefined,
      awaitsContinue,
      isStreamed: false,
      stallMs: this.#settings.stallMs,
      service: this.#service,
      closing: connection.surplus,
      broken: undefined,
      reader: undefined,
    };
    connection.latest = exchange;
    return exchange;
  }

  #shouldUpgrade(request: IncomingMessage): boolean {
    return (
      this.#onUpgrade !== undefined &&
      !this.#draining &&
      !announcesBody(request) &&
      // Earlier versions have no upgrade (RFC 9110, section 7.8).
      request.httpVersion === "1.1" &&
      // The earlier answer would go out in the middle of the other protocol.
      !this.#connections.isBusy(request.socket) &&
      request.headers.upgrade?.toLowerCase() === this.#upgradeProtocol
    );
  }
}

function createTlsServer(options: http.ServerOptions, tls: ServerTls, settings: HttpSettings): https.Server {
  const asksForCertificate = tls.clientCa !== undefined;
  const server = https.createServer({
    ...options,
    ...secureOptions(tls),
    requestCert: asksForCertificate,
    rejectUnauthorized: asksForCertificate,
    handshakeTimeout: settings.headersTimeoutMs,
  });
  // Until its handshake is done, a connection has no owner. It must not keep a stopped process alive.
  server.on("connection", (socket: Socket) => socket.unref());
  server.on("secureConnection", (socket: Socket) => socket.ref());
  return server;
}

function secureOptions({ cert, key, clientCa }: ServerTls): SecureContextOptions {
  return { cert, key, minVersion: "TLSv1.2", ...(clientCa !== undefined && { ca: clientCa }) };
}
