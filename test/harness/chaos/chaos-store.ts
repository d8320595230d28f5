/**
 * The S3 gateway of a cluster in chaos, and what can befall it: killed, hung, over a disk that is stuck, slow,
 * refusing. Nodes reach it through a proxy.
 */

import type { OwnGateway } from "../own-gateway.ts";
import { StoreProxy } from "../store-proxy.ts";

export const storeTroubles = ["killed", "hung", "stuck", "held", "slow", "refusing", "failing"] as const;
export type StoreTrouble = (typeof storeTroubles)[number];

/** As a far store behind a thin line: less than the clients write. */
const slowPace = { delayMs: 400, bytesPerSecond: 150_000 };

export class ChaosStore implements AsyncDisposable {
  readonly #proxy: StoreProxy;
  readonly #gateway: OwnGateway | undefined;
  #trouble: StoreTrouble | undefined;

  private constructor(proxy: StoreProxy, gateway: OwnGateway | undefined) {
    this.#proxy = proxy;
    this.#gateway = gateway;
  }

  /**
   * @param endpoint of the S3 server.
   * @param gateway the server's process, if it may be harmed.
   * @param host the address at which nodes reach the proxy.
   */
  static async start(endpoint: string, gateway: OwnGateway | undefined, host: string): Promise<ChaosStore> {
    return new ChaosStore(await StoreProxy.start(endpoint, {}, host), gateway);
  }

  /** What nodes are told. */
  get url(): string {
    return this.#proxy.url;
  }

  /** What can be done to it. */
  get troubles(): readonly StoreTrouble[] {
    if (this.#gateway !== undefined) return storeTroubles;
    return storeTroubles.filter((trouble) => !["killed", "hung", "stuck"].includes(trouble));
  }

  async begin(trouble: StoreTrouble): Promise<void> {
    this.#trouble = trouble;
    if (trouble === "killed") await this.#gateway?.kill();
    else if (trouble === "hung") this.#gateway?.pause();
    else if (trouble === "stuck") this.#gateway?.pauseDisk();
    else if (trouble === "held") this.#proxy.hold();
    else if (trouble === "slow") this.#proxy.setPace(slowPace);
    else if (trouble === "refusing") this.#proxy.refuse({ status: 503, code: "SlowDown" });
    else this.#proxy.refuse({ status: 500, code: "InternalError" });
  }

  async heal(): Promise<void> {
    const trouble = this.#trouble;
    this.#trouble = undefined;
    if (trouble === "killed") await this.#gateway?.restart();
    else if (trouble === "hung") this.#gateway?.resume();
    else if (trouble === "stuck") this.#gateway?.resumeDisk();
    this.#proxy.setPace({});
    this.#proxy.pass();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.heal();
    await this.#proxy[Symbol.asyncDispose]();
  }
}
