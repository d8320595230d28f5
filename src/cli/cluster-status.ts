/** The answer of `GET /cluster`, fetched and checked: another program, or another release, may listen there. */

import { z } from "zod";
import { OperatingError } from "../base/errors.ts";
import type { ClusterStatus } from "../core/operation.ts";
import { type ClusterClient, readText } from "./client.ts";

// Fields that a release beside this one may lack have a default: nodes of both run while they are upgraded one by one.
const statusSchema = z.object({
  cluster: z.string(),
  self: z.string(),
  epoch: z.number(),
  settled: z.boolean(),
  leaseMs: z.number().default(0),
  awaited: z.array(z.string()).default([]),
  store: z.string(),
  members: z.array(
    z.object({
      id: z.string(),
      url: z.string(),
      zone: z.string().optional(),
      weight: z.number(),
      share: z.number(),
      state: z.enum(["serving", "waiting", "unreachable"]),
      dirtyBytes: z.number(),
      dirtyKeys: z.number(),
      cacheBytes: z.number(),
      oldestDirtyMs: z.number(),
      failingKeys: z.number(),
    }),
  ),
});

/** @throws OperatingError `peer_unreachable` when no node answers as one. */
export async function fetchStatus(client: ClusterClient): Promise<ClusterStatus> {
  const answer = await client.request({ method: "GET", path: "/cluster" });
  const text = await readText(answer.body);
  const parsed = statusSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data as ClusterStatus;
  throw new OperatingError("peer_unreachable", `${answer.url} does not answer as a node of this version of weir`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema refuses it with the message that fits.
    return undefined;
  }
}
