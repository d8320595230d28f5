/** The keys that the store refuses, as a node tells of them and as commands print them. */

import { z } from "zod";
import type { RefusedKeys } from "../../core/administration.ts";
import type { FailingKey } from "../../core/status.ts";
import { type ClusterClient, foreignAnswer, parseJson, readText } from "./client.ts";
import { failingSchema } from "./cluster-status.ts";

const refusedKeysSchema = z.looseObject({ keys: z.array(failingSchema), more: z.boolean() });

/** The first of the keys that begin with the prefix. */
export async function refusedUnder(client: ClusterClient, prefix: string): Promise<RefusedKeys> {
  const answer = await client.request({
    method: "GET",
    path: `/cluster/refused/?prefix=${encodeURIComponent(prefix)}`,
  });
  const parsed = refusedKeysSchema.safeParse(parseJson(await readText(answer.body)));
  if (!parsed.success) throw foreignAnswer(answer);
  return parsed.data as RefusedKeys;
}

/** The key with its version as `weir drop` takes it. */
export function withVersion(key: FailingKey): Record<string, unknown> {
  return { ...key, version: `${key.version.epoch}.${key.version.seq}` };
}
