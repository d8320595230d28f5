/**
 * The composition of one node: its settings, store, network, member and HTTP server put together. The only file that knows
 * all of them.
 */

import { OperatingError } from "./base/errors.ts";
import type { Log } from "./base/log.ts";
import type { Config } from "./config/config.ts";
import type { BlobStore } from "./store/blob-store.ts";

export interface NodeOptions {
  readonly log: Log;
}

export interface RunningNode {
  /** Where it serves, such as `http://127.0.0.1:7070`. */
  readonly url: string;
  /** Rejects when the node cannot go on: its process has to end. Never resolves. */
  readonly failed: Promise<never>;
  /** Stops in order: no new requests, what is under way is answered, what can be flushed is flushed. */
  stop(): Promise<void>;
}

/**
 * Starts the node `nodeId` of `config`; resolves once it listens (`/readyz` says when it serves).
 * @throws OperatingError when it can't listen, or its store refuses it.
 */
export async function startNode(_config: Config, _nodeId: string, _options: NodeOptions): Promise<RunningNode> {
  throw new OperatingError("not_ready", "this build has no member yet");
}

/** The store that `config` names; nothing is sent to it yet. */
export function openConfiguredStore(_config: Config): BlobStore {
  throw new OperatingError("not_ready", "this build has no store yet");
}
