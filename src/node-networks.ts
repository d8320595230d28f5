/** A node's networks, one for each of its lives. Streams are told of the small requests that peers send. */

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Log } from "./base/log.ts";
import type { SpareTime } from "./base/spare-time.ts";
import type { Config } from "./config/config.ts";
import type { TlsMaterial } from "./config/tls-files.ts";
import type { PeerIdentity, PeerRequest } from "./core/message.ts";
import { refuseRaw } from "./http/server/connections.ts";
import type { DialTls } from "./network/dial.ts";
import { HttpNetwork, type PeerFigures } from "./network/http-network.ts";
import { linkSettings } from "./node-settings.ts";
import { systemClock, systemRandom } from "./system.ts";

/** The networks of a host's lives. The one in use takes the calls of peers. */
export class Networks {
  /** The files that new links use. */
  tls: TlsMaterial | undefined;
  readonly #config: Config;
  readonly #log: Log;
  readonly #spare: SpareTime;
  #secrets: readonly string[] = [];
  #latest: HttpNetwork | undefined;

  constructor(config: Config, tls: TlsMaterial | undefined, log: Log, spare: SpareTime) {
    this.#spare = spare;
    this.#config = config;
    this.tls = tls;
    this.#log = log;
    this.setSecrets(config);
  }

  /** New links use the secrets of this configuration. */
  setSecrets({ secret }: Config): void {
    this.#secrets = secret.map((each) => each.reveal());
  }

  get peers(): readonly PeerFigures[] {
    return this.#latest?.peers ?? [];
  }

  connect(identity: PeerIdentity): HttpNetwork {
    const network = new HttpNetwork({
      identity,
      cluster: this.#config.cluster,
      secrets: () => this.#secrets,
      tls: () => this.tls && dialTls(this.tls),
      settings: linkSettings(this.#config),
      clock: systemClock,
      random: systemRandom,
      log: this.#log,
      onRequest: (request) => {
        if (isSmall(request)) this.#spare.served(systemClock.now());
      },
      onEnded: () => {
        // It leads to all that its member held.
        if (this.#latest === network) this.#latest = undefined;
      },
    });
    this.#latest = network;
    return network;
  }

  /** Passes a peer's call to the network in use. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#latest === undefined) refuseRaw(socket, systemClock, "not_ready", "this node is no member at the moment");
    else this.#latest.accept(request, socket, head);
  }
}

/** Whether a client waits for it, and not for a value that is streamed. */
function isSmall(request: PeerRequest): boolean {
  switch (request.kind) {
    case "read":
      return true;
    case "write":
      return request.upload === undefined;
    case "replicate":
      return request.entry.upload === undefined;
    default:
      return false;
  }
}

/** A node shows its certificate to a peer that asks for one. */
function dialTls({ texts: { cert, key, ca } }: TlsMaterial): DialTls {
  return { cert, key, ...(ca !== undefined && { ca }) };
}
