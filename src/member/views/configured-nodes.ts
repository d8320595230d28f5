/**
 * The nodes that the configuration names. One that it names no longer is asked to leave: at once, or as soon as it is
 * reached. It stays unless most members ask (V55). So it is asked again with each ping.
 */

import { assert } from "../../base/assert.ts";
import { isOperatingError } from "../../base/errors.ts";
import type { PeerAddress } from "../../network/network.ts";
import type { ContextOf } from "../context.ts";

type ConfiguredNodesContext = ContextOf<"membership" | "network" | "log">;

/** A node that is asked to leave may take so long to answer, in milliseconds. */
const requestMs = 5_000;

export class ConfiguredNodes {
  readonly #context: ConfiguredNodesContext;
  #named: readonly PeerAddress[];
  /** Ids of removed nodes that have not been told yet. */
  readonly #untold = new Set<string>();
  /** Those of them that have been asked and have not answered yet. */
  readonly #asked = new Set<string>();
  /** Why each of them stays, as it was logged last. */
  readonly #staying = new Map<string, string>();

  constructor(context: ConfiguredNodesContext, named: readonly PeerAddress[]) {
    this.#context = context;
    this.#named = named;
  }

  get named(): readonly PeerAddress[] {
    return this.#named;
  }

  /** The configuration names these now. */
  set(nodes: readonly PeerAddress[]): void {
    for (const { id } of this.#named) this.#untold.add(id);
    for (const { id } of nodes) {
      this.#untold.delete(id);
      this.#staying.delete(id);
    }
    this.#named = nodes;
    for (const id of this.#untold) this.onReached(id);
  }

  /**
   * The node is reached: there is a link to it, or it has answered a ping. A node that has not joined yet refuses, as
   * does one that stays. It is asked again when it is reached the next time.
   */
  onReached(id: string): void {
    const { membership, network, log } = this.#context;
    if (!this.#untold.has(id) || this.#asked.has(id) || !network.linked(id)) return;
    this.#asked.add(id);
    network.request(id, { kind: "leave", epoch: membership.epoch }, requestMs).then(
      (answer) => {
        assert(this.#asked.has(id), "one request to leave at a time");
        this.#asked.delete(id);
        if (answer.kind === "ack") this.#untold.delete(id);
        if (answer.kind === "refused" && answer.code === "not_ready") this.#stays(id, answer.detail);
      },
      (error: unknown) => {
        this.#asked.delete(id);
        if (!isOperatingError(error)) throw error;
        log.warn("a node that is no longer in the configuration could not be asked to leave", { peer: id, error });
      },
    );
  }

  #stays(id: string, reason: string): void {
    if (!this.#untold.has(id) || this.#staying.get(id) === reason) return;
    this.#staying.set(id, reason);
    this.#context.log.info("a node that is no longer in the configuration was asked to leave, and stays", {
      peer: id,
      reason,
    });
  }
}
