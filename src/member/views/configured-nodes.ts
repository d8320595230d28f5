/** The nodes that the configuration names. One that it names no longer is asked to leave: at once, or as soon as it is reached. */

import { isOperatingError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Membership } from "../../core/membership.ts";
import type { Network, PeerAddress } from "../../network/network.ts";

export interface ConfiguredNodesParts {
  readonly named: readonly PeerAddress[];
  readonly membership: Pick<Membership, "epoch">;
  readonly network: Network;
  readonly log: Log;
}

/** How long asking a node to leave may take, in milliseconds. */
const requestMs = 5_000;

export class ConfiguredNodes {
  readonly #parts: ConfiguredNodesParts;
  #named: readonly PeerAddress[];
  /** Ids of those that have not been told yet. */
  readonly #untold = new Set<string>();
  /** Those of them that have been asked and have not answered yet. */
  readonly #asked = new Set<string>();

  constructor(parts: ConfiguredNodesParts) {
    this.#parts = parts;
    this.#named = parts.named;
  }

  get named(): readonly PeerAddress[] {
    return this.#named;
  }

  set(nodes: readonly PeerAddress[]): void {
    for (const { id } of this.#named) this.#untold.add(id);
    for (const { id } of nodes) this.#untold.delete(id);
    this.#named = nodes;
    for (const id of this.#untold) this.onReached(id);
  }

  /** The node is reached: there is a link to it, or it has answered a ping. One that has not joined yet refuses, and is asked again once it has. */
  onReached(id: string): void {
    const { membership, network, log } = this.#parts;
    if (!this.#untold.has(id) || this.#asked.has(id) || !network.linked(id)) return;
    this.#asked.add(id);
    network.request(id, { kind: "leave", epoch: membership.epoch }, requestMs).then(
      ({ kind }) => {
        this.#asked.delete(id);
        if (kind === "ack") this.#untold.delete(id);
      },
      (error: unknown) => {
        this.#asked.delete(id);
        if (!isOperatingError(error)) throw error;
        log.warn("a node that is no longer in the configuration could not be asked to leave", { peer: id, error });
      },
    );
  }
}
