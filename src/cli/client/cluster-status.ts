/** Fetches the answer of `GET /cluster` and checks it: another program, or another release, may listen there. */

import { z } from "zod";
import type { ClusterStatus } from "../../core/status.ts";
import { type ClusterClient, foreignAnswer, parseJson, readText } from "./client.ts";

/** A key whose value cannot get into the store. */
export const failingSchema = z.object({
  key: z.string(),
  version: z.object({ epoch: z.number(), seq: z.number() }),
  size: z.number(),
  isDelete: z.boolean(),
  ageMs: z.number(),
  code: z.string(),
  reason: z.string(),
  holder: z.string().optional(),
});

/** A line of the answer to `POST /cluster/flush`. */
export const flushLineSchema = z.union([
  z.object({
    keys: z.number(),
    bytes: z.number(),
    refusedKeys: z.number(),
    failing: z.array(failingSchema),
    waitingFor: z.array(z.string()),
    outcome: z.enum(["stored", "refused"]).optional(),
  }),
  z.object({ outcome: z.literal("failed"), code: z.string(), detail: z.string() }),
]);

// A field that another release may lack has a default. During an upgrade, nodes of both releases run.
const statusSchema = z.object({
  cluster: z.string(),
  self: z.string(),
  epoch: z.number(),
  settled: z.boolean(),
  leaseMs: z.number().default(0),
  awaited: z.array(z.string()).default([]),
  absent: z.array(z.string()).default([]),
  store: z.string(),
  recordTrouble: z.string().optional(),
  trouble: z.string().optional(),
  refused: z.record(z.string(), z.string()).default({}),
  replicas: z.number().default(0),
  s3: z
    .object({
      requests: z.number(),
      denied: z.number(),
      failed: z.number(),
      operations: z.record(z.string(), z.number()),
    })
    .optional(),
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
      refusedKeys: z.number().default(0),
      refusedBytes: z.number().default(0),
      refusedRoomBytes: z.number().default(0),
      heldKeys: z.number().default(0),
      lateEffectMs: z.number().default(0),
      failing: z.array(failingSchema).default([]),
      slowing: z.boolean().default(false),
      full: z.boolean().default(false),
      journaled: z.boolean().default(true),
      storeFailingMs: z.number().default(0),
      stop: z
        .object({ verdict: z.enum(["yes", "wait", "no"]), inOrder: z.string(), killed: z.string() })
        .default({ verdict: "no", inOrder: "The node that answers does not say.", killed: "" }),
    }),
  ),
});

/** @throws OperatingError `peer_unreachable` when no node answers as weir does. */
export async function fetchStatus(client: ClusterClient): Promise<ClusterStatus> {
  const answer = await client.request({ method: "GET", path: "/cluster" });
  const text = await readText(answer.body);
  const parsed = statusSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data as ClusterStatus;
  throw foreignAnswer(answer);
}
