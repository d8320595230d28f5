/**
 * Signed requests to one container of Azure, over connections of its own. A write through Azure's SDK costs several
 * times as much, and its signature is valid for a quarter of an hour. Here a write's signature expires at the caller's
 * deadline, by the store's own clock. So a process that is paused half-way cannot make the write take effect later.
 *
 * One limit remains. A store judges the signature when it has the head of a request. A process may pause while it sends
 * a body larger than the socket's buffer, and still finish afterwards. Conditions on the write are the second line.
 */

import type { Clock } from "../../base/clock.ts";
import type { Complaints } from "../../base/complaints.ts";
import { OperatingError } from "../../base/errors.ts";
import type { RequestOptions } from "../blob-store.ts";
import { beforeSending, inTime } from "../deadline.ts";
import { type ExchangeAnswer, type ExchangeRequest, exchange, header, isRead } from "../http/exchange.ts";
import { encodePath } from "../http/percent-encoding.ts";
import {
  readGraceSeconds,
  type SignedRequest,
  sendSigned,
  streamSigned,
  TimeQuestion,
} from "../http/signed-exchange.ts";
import { StorePools } from "../http/store-pools.ts";
import { StoreTime } from "../http/store-time.ts";
import type { StreamedAnswer } from "../http/stream-exchange.ts";
import { IdentityKey } from "./azure-identity.ts";
import { type Permission, type SasKey, SasSigner } from "./azure-signature.ts";
import { type AzureLocation, type AzureTarget, resolveTarget } from "./azure-target.ts";

export interface AzureRequest {
  readonly method: ExchangeRequest["method"];
  /** The blob's name in the container. Undefined for the container itself. */
  readonly blob?: string;
  /** The permission that the request needs. */
  readonly permission: Permission;
  /** The request's own parameters, encoded, such as `restype=container&comp=list`. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** The most bytes of a successful answer's body. 0 if it is not stated. */
  readonly maxBodyBytes?: number;
}

interface OpenContainer {
  readonly target: AzureTarget;
  readonly signer: SasSigner;
  readonly pools: StorePools;
  readonly currentKey: () => SasKey | Promise<SasKey>;
}

export class AzureClient {
  readonly #location: AzureLocation;
  readonly #connections: number;
  readonly #clock: Clock;
  readonly #time: StoreTime;
  readonly #timeQuestion: TimeQuestion;
  #connection: OpenContainer | undefined;
  #closed = false;

  /**
   * @param connections The most for reads, and the most for writes. Further requests wait for one.
   * @param complaints Hears of clocks that differ.
   */
  constructor(location: AzureLocation, connections: number, clock: Clock, complaints?: Complaints) {
    this.#location = location;
    this.#connections = connections;
    this.#clock = clock;
    this.#time = new StoreTime(clock, complaints);
    this.#timeQuestion = new TimeQuestion(clock, this.#time, (options) => this.greet(options));
  }

  /** @throws OperatingError `store_unavailable` without an answer in time. `store_refused` when no target is found. */
  async send(request: AzureRequest, options: RequestOptions): Promise<ExchangeAnswer> {
    const signing = this.#sign(request, options);
    const signed = await (isRead(request.method) ? signing : beforeSending(signing));
    return await sendSigned({ clock: this.#clock, time: this.#time }, signed, request);
  }

  /**
   * Like {@link send}, for an answer with a body of any length. The caller reads the body. The deadline covers the time
   * until it begins, and then each pause in it. An answer that is no success comes whole.
   */
  async stream(request: AzureRequest, options: RequestOptions): Promise<StreamedAnswer> {
    return await streamSigned(this.#clock, await this.#sign(request, options), request.method);
  }

  /** Signs the request as it goes on the wire now. */
  async #sign(request: AzureRequest, options: RequestOptions): Promise<SignedRequest> {
    // The deadline and the signature's expiry count from here. Every wait below shortens both.
    const called = this.#clock.now();
    const { target, signer, pools, currentKey } = this.#connect();
    let key = currentKey();
    if (key instanceof Promise) key = await inTime(this.#clock, options.deadlineMs, key);
    if (!isRead(request.method) && this.#time.isIdle) await this.#timeQuestion.answered(options);
    // The last full second of the deadline. A signature without a start is valid at once.
    const endSeconds =
      Math.floor((this.#time.at(called) + options.deadlineMs) / 1_000) +
      (isRead(request.method) ? readGraceSeconds : 0);
    const signature = signer.sign(key, request.permission, endSeconds);
    options.authorize?.();
    const leftMs = options.deadlineMs - (this.#clock.now() - called);
    if (leftMs <= 0) throw new OperatingError("store_unavailable", "the request was not sent: its deadline had passed");
    const blob = request.blob === undefined ? "" : `/${encodePath(request.blob)}`;
    const query = request.query === undefined ? signature : `${request.query}&${signature}`;
    return {
      pool: pools.poolFor(request.method, options),
      path: `${target.containerPath}${blob}?${query}`,
      headers: { ...request.headers, host: target.host },
      leftMs,
      endMs: endSeconds * 1_000,
    };
  }

  /** Sends an unsigned request. Its answer tells the store's time. */
  async greet(options: RequestOptions): Promise<void> {
    const { target, pools } = this.#connect();
    const sentAt = this.#clock.now();
    const answer = await exchange(pools.poolFor("HEAD", options), this.#clock, {
      method: "HEAD",
      path: `${target.containerPath}?restype=container`,
      headers: { host: target.host },
      deadlineMs: options.deadlineMs,
      maxBodyBytes: 0,
    });
    if (answer.status < 500) this.#time.learn(header(answer, "date"), sentAt);
  }

  /** Requests under way fail with `store_unavailable`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#connection?.pools.close();
  }

  #connect(): OpenContainer {
    if (this.#connection !== undefined) return this.#connection;
    const target = resolveTarget(this.#location, process.env);
    if (this.#closed) throw new OperatingError("store_unavailable", "the store is closed");
    const pools = new StorePools(target.origin, this.#connections);
    const signer = new SasSigner(target.account, this.#location.container);
    const { key } = target;
    const identity =
      key === undefined ? new IdentityKey(target, pools.urgent, this.#clock, this.#time) : { current: () => key };
    const currentKey = () => identity.current();
    this.#connection = { target, signer, pools, currentKey };
    return this.#connection;
  }
}
