/**
 * The server for clients, over node:http: its limits, how it starts and how it ends. What requests mean is the router's.
 */

import http, { type IncomingMessage, type ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { SecureContextOptions } from "node:tls";
import { noGrant } from "../access/grant.ts";
import { assert } from "../base/assert.ts";
import { OperatingError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { Router, type RouterOptions } from "./router.ts";
import { Bodies } from "./server/body.ts";
import { type Connection, Connections } from "./server/connections.ts";
import { Cors } from "./server/cors.ts";
import { announcesBody, type Exchange, type Service } from "./server/exchange.ts";
import { HttpMetrics } from "./server/metrics.ts";
import { everyMethod } from "./server/route.ts";
import type { HttpSettings } from "./server/settings.ts";
import { UnreadAnswers } from "./server/unread-answers.ts";

export interface HttpServerOptions extends RouterOptions {
  /** With it the server speaks TLS, and nothing else. */
  readonly tls?: ServerTls | undefined;
  /**
   * Takes over connections whose request asks for `upgradeProtocol`. Requests that ask for another (some clients offer HTTP/2 this way
   * with every request) are served as if they had not, as RFC 9110 has it.
   */
  readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Lower-case; given together with `onUpgrade`. */
  readonly upgradeProtocol?: string;
}

/** In PEM. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  /** With it whoever connects must show a certificate of one of these authorities. */
  readonly clientCa?: string | undefined;
}

export interface HttpServer extends AsyncDisposable {
  readonly metrics: HttpMetrics;
  /** Open connections of clients. */
  readonly connections: number;

  /**
   * Begins to serve. To be called once.
   * @throws OperatingError `config_invalid` when the address can't be had.
   */
  listen(): Promise<HttpAddress>;
  /** New connections use these. Whether certificates of clients are asked for stays as it was at first. */
  setTls(tls: ServerTls): void;
  /**
   * From now on connections end with the next answer on each, so that clients that keep them go elsewhere. Goes on serving. Resolves when all requests that are under way
   * are answered; those that take longer than `finishMs` are cut.
   */
  finish(): Promise<void>;
  /** Takes no more connections, finishes requests under way, and ends. Upgraded connections are left to their owner. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface HttpAddress {
  readonly host: string;
  readonly port: number;
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  return new NodeHttpServer(options);
}

/** At the end so many of those who still come are let in. */
const maxTurns = 1_000;

/** What a request wants to hear before it sends its body. */
type Expectation = "nothing" | "continue" | "unknown";

class NodeHttpServer implements HttpServer {
  readonly metrics = new HttpMetrics();
  readonly #settings: HttpSettings;
  readonly #log: Log;
  readonly #onUpgrade: HttpServerOptions["onUpgrade"];
  readonly #upgradeProtocol: string | undefined;
  readonly #bodies: Bodies;
  readonly #unread: UnreadAnswers;
  readonly #cors: Cors;
  readonly #router: Router;
  readonly #connections: Connections;
  readonly #server: http.Server;
  readonly #service: Service = { isEnding: false };
  readonly #onCut = (connections: number): void =>
    this.#log.warn("cutting off requests that did not finish in time", { connections });
  #draining = false;
  /** Connections so far. */
  #accepted = 0;

  constructor(options: HttpServerOptions) {
    const { settings } = options;
    assert(settings.inFlightBytes >= settings.maxValueBytes, "the largest value fits in flight");
    assert(
      (options.onUpgrade === undefined) === (options.upgradeProtocol === undefined),
      "who takes connections over says for which protocol",
    );
    this.#settings = settings;
    this.#log = options.log;
    this.#onUpgrade = options.onUpgrade;
    this.#upgradeProtocol = options.upgradeProtocol;
    this.#bodies = new Bodies(options.clock, settings);
    this.#unread = new UnreadAnswers(options.clock, settings);
    this.#cors = new Cors(settings.cors);
    this.#router = new Router(options, this.#bodies, this.#cors, this.metrics);
    this.#connections = new Connections(options.clock, settings.connections);
    this.#server = this.#createServer(options.tls);
  }

  get connections(): number {
    return this.#connections.size;
  }

  async listen(): Promise<HttpAddress> {
    const { host, port } = this.#settings;
    await new Promise<void>((resolve, reject) => {
      const onError = (cause: NodeJS.ErrnoException): void => {
        reject(new OperatingError("config_invalid", `cannot listen on ${host}:${port}: ${cause.message}`, { cause }));
      };
      this.#server.once("error", onError);
      this.#server.listen(port, host, () => {
        this.#server.off("error", onError);
        this.#server.on("error", (error) => this.#log.error("the server for clients has failed", { error }));
        resolve();
      });
    });
    const address = this.#server.address() as AddressInfo;
    return { host: address.address, port: address.port };
  }

  setTls(tls: ServerTls): void {
    assert(this.#server instanceof https.Server, "a server speaks TLS from the beginning, or never");
    this.#server.setSecureContext(secureOptions(tls));
  }

  finish(): Promise<void> {
    this.#service.isEnding = true;
    return this.#connections.endBusy(this.#settings.finishMs, this.#onCut);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#letIn();
    this.#draining = true;
    this.#server.close();
    this.#service.isEnding = true;
    await this.#connections.end(this.#settings.finishMs, this.#onCut);
    this.#bodies[Symbol.dispose]();
    this.#unread[Symbol.dispose]();
  }

  /** Who waits to be let in is let in, as far as may be: the system would reset them. The runtime takes one in each turn of its loop. */
  async #letIn(): Promise<void> {
    // This turn may have looked already.
    await nextTurn();
    for (let turns = 0, before = -1; turns < maxTurns && before < this.#accepted; turns++) {
      before = this.#accepted;
      await nextTurn();
    }
  }

  #createServer(tls: ServerTls | undefined): http.Server {
    const settings = this.#settings;
    const options: http.ServerOptions = {
      maxHeaderSize: settings.maxHeaderBytes,
      headersTimeout: settings.headersTimeoutMs,
      // Bodies have a deadline of their own, which answers.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.ceil(settings.headersTimeoutMs / 4),
      keepAliveTimeout: settings.keepAliveMs,
      // Strict whatever the process was started with: lenient parsers are how requests get smuggled.
      insecureHTTPParser: false,
      // header-check.ts does it, with a proper answer.
      requireHostHeader: false,
      // A request without a body needs no stream: a tenth of the cost of a GET.
      optimizeEmptyRequests: true,
      shouldUpgradeCallback: (request) => this.#shouldUpgrade(request),
    };
    const server = tls === undefined ? http.createServer(options) : createTlsServer(options, tls, settings);
    server.timeout = settings.stallMs;
    server.maxConnections = settings.connections + settings.spareConnections;
    // Unlimited in number, since maxHeaderBytes bounds them; the runtime would silently drop those beyond its own limit.
    server.maxHeadersCount = 0;
    // A client that has shut down its side still gets its answer.
    (server as http.Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
    // The runtime's own also cuts connections whose last answer is not out yet; `finish` doesn't.
    server.closeIdleConnections = () => undefined;
    server.on("connection", () => this.#accepted++);
    server.on(tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
      // Its handshake was under way when the server closed: nobody would end it, and it would keep the process.
      if (this.#draining) socket.destroy();
      else this.#connections.add(socket);
    });
    server.on("request", (request, response) => this.#serve(request, response, "nothing"));
    server.on("checkContinue", (request, response) => this.#serve(request, response, "continue"));
    server.on("checkExpectation", (request, response) => this.#serve(request, response, "unknown"));
    server.on("clientError", (error, socket) => this.#connections.onClientError(error, socket));
    server.on("connect", (_request, socket) => {
      this.#connections.keepGoing(socket);
      this.#connections.refuse(socket, "method_not_allowed", "this is not a proxy", [`Allow: ${everyMethod}`]);
    });
    server.on("upgrade", (request, socket, head) => {
      this.#connections.remove(socket);
      assert(this.#onUpgrade !== undefined, "only what has a taker is upgraded");
      this.#onUpgrade(request, socket, head);
    });
    server.on("drop", () => this.#log.debug("a connection was refused: there are too many"));
    return server;
  }

  #serve(request: IncomingMessage, response: ServerResponse, expects: Expectation): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined) {
      // It came in one piece with the end of a handshake, on a connection that was ended because the server has closed.
      assert(request.socket.destroyed, "a request comes on an open connection");
      return;
    }
    const earlier = connection.latest;
    const exchange = this.#begin(connection, request, response, expects === "continue");
    if (earlier === undefined || earlier.closing || earlier.response.writableEnded || earlier.response.destroyed) {
      this.#handle(connection, exchange, earlier, expects);
    } else if (++connection.waiting > this.#settings.pipelinedRequests) {
      request.socket.destroy();
    } else {
      // Pipelined: a read must see the write before it (RFC 9112, section 9.3.2), so one is served after the other.
      earlier.response.once("close", () => {
        connection.waiting--;
        if (!response.destroyed) this.#handle(connection, exchange, earlier, expects);
      });
    }
  }

  #handle(connection: Connection, exchange: Exchange, earlier: Exchange | undefined, expects: Expectation): void {
    // The client was told that nothing behind that is served (RFC 9112, section 9.6): it may be sending this again, elsewhere.
    if (earlier?.closing) exchange.closing = true;
    else if (connection.surplus) this.#router.refuse(exchange, "overloaded", "this node has too many connections");
    else if (expects === "unknown") this.#router.refuse(exchange, "header_invalid", "Expect may only be 100-continue");
    // A rejection is a failed assertion, which has to end the process.
    else void this.#router.handle(exchange);
  }

  #begin(
    connection: Connection,
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
      awaitsContinue,
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
      // The answer to that would go out between the words of the other protocol.
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
  // Until its handshake is done a connection is nobody's, and must not keep a process that has stopped from ending.
  server.on("connection", (socket: Socket) => socket.unref());
  server.on("secureConnection", (socket: Socket) => socket.ref());
  return server;
}

function secureOptions({ cert, key, clientCa }: ServerTls): SecureContextOptions {
  return { cert, key, minVersion: "TLSv1.2", ...(clientCa !== undefined && { ca: clientCa }) };
}
