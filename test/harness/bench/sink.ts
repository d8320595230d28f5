/** Starting the server that takes objects and throws them away, and how clients and clusters are told of it. */

import { join } from "node:path";
import type { ClusterOptions } from "./cluster.ts";
import type { Processes } from "./processes.ts";

export interface Sink {
  readonly endpoint: string;
  /** As `WEIR_STORE`. */
  readonly url: string;
  /** Credentials: it takes any. */
  readonly env: Readonly<Record<string, string>>;
}

export async function startSink(processes: Processes): Promise<Sink> {
  const args = [join(import.meta.dirname, "sink-server.ts")];
  const endpoint = await processes.start(process.execPath, args, { readsOutput: true }).firstLine();
  return {
    endpoint,
    url: `s3://bench/objects/?endpoint=${endpoint}`,
    env: { AWS_ACCESS_KEY_ID: "bench", AWS_SECRET_ACCESS_KEY: "bench" },
  };
}

/** For a cluster whose store it is; each needs a prefix of its own. */
export function sinkStore({ endpoint, env }: Sink, prefix: string): Pick<ClusterOptions, "store" | "env"> {
  return { store: { type: "s3", bucket: "bench", prefix: `${prefix}/`, endpoint }, env };
}
