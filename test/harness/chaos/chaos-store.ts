/**
 * The S3 gateways of a cluster in chaos, and what can befall them: killed, hung, over a disk that is stuck, slow,
 * refusing; one of two frozen. Nodes reach both through a proxy, which sends a request to each in turn.
 */

import type { OwnGateway } from "../own-gateway.ts";
import { StoreProxy } from "../store-proxy.ts";

export const storeTroubles = ["killed", "hung", "stuck", "frozen", "held", "slow", "refusing", "failing"] as const;
export type StoreTrouble = (typeof storeTroubles)[number];

/** Troubles that take a process of the store's own. */
const ownTroubles: readonly StoreTrouble[] = ["killed", "hung", "stuck", "frozen"];

/** As a far store behind a thin line: less than the clients write. */
const slowPace = { delayMs: 400, bytesPerSecond: 150_000 };

export class ChaosStore implements AsyncDisposable {
  readonly #proxy: StoreProxy;
  readonly #gateway: OwnGateway | undefined;
  /** Those of the gateways: the first is the one that is killed or hung, and the last the one that is frozen. */
  readonly #endpoints: readonly string[];
  #trouble: StoreTrouble | undefined;

  private constructor(proxy: StoreProxy, gateway: OwnGateway | undefined, endpoints: readonly string[]) {
    this.#proxy = proxy;
    this.#gateway = gateway;
    this.#endpoints = endpoints;
  }

  /**
   * @param endpoint of the S3 server.
   * @param gateway the server's processes, two gateways, if they may be harmed.
   * @param host the address at which nodes reach the proxy.
   */
  static async start(endpoint: string, gateway: OwnGateway | undefined, host: string): Promise<ChaosStore> {
    const endpoints = gateway === undefined ? [endpoint] : [endpoint, gateway.secondEndpoint];
    return new ChaosStore(await StoreProxy.start(endpoints, {}, host), gateway, endpoints);
  }

  /** What nodes are told. */
  get url(): string {
    return this.#proxy.url;
  }

  /** What can be done to it. */
  get troubles(): readonly StoreTrouble[] {
    if (this.#gateway !== undefined) return storeTroubles;
    return storeTroubles.filter((trouble) => !ownTroubles.includes(trouble));
  }

  async begin(trouble: StoreTrouble): Promise<void> {
    this.#trouble = trouble;
    if (trouble === "frozen") await this.#gateway?.freezeSecond();
    if (trouble === "killed" || trouble === "hung" || trouble === "frozen")
      this.#proxy.redirect(this.#endpoints[0] as string);
    if (trouble === "killed") await this.#gateway?.kill();
    else if (trouble === "hung") this.#gateway?.pause();
    else if (trouble === "stuck") this.#gateway?.pauseDisk();
    else if (trouble === "held") this.#proxy.hold();
    else if (trouble === "slow") this.#proxy.setPace(slowPace);
    else if (trouble === "refusing") this.#proxy.refuse({ status: 503, code: "SlowDown" });
    else if (trouble === "failing") this.#proxy.refuse({ status: 500, code: "InternalError" });
  }

  async heal(): Promise<void> {
    const trouble = this.#trouble;
    this.#trouble = undefined;
    if (trouble === "killed") await this.#gateway?.restart();
    else if (trouble === "hung") this.#gateway?.resume();
    else if (trouble === "stuck") this.#gateway?.resumeDisk();
    else if (trouble === "frozen") this.#gateway?.resumeSecond();
    this.#proxy.redirect(this.#endpoints);
    this.#proxy.setPace({});
    this.#proxy.pass();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.heal();
    await this.#proxy[Symbol.asyncDispose]();
  }
}
