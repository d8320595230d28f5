/**
 * Where nodes listen, by a cluster.json that may be wrong. A running node goes on with what it had when its file
 * becomes wrong. It can still be asked, for which most mistakes don't matter.
 */

import { z } from "zod";
import { type Config, completeTls, type NodeConfig } from "./config.ts";
import { configSchema, nodeSchema } from "./schema.ts";

export type NodePlace = Pick<NodeConfig, "id" | "url">;

/** What of a configuration tells how its nodes are reached. */
export interface NodePlaces extends Pick<Config, "listen" | "tls"> {
  readonly nodes: readonly NodePlace[];
}

const placeSchema = z.object(nodeSchema.pick({ id: true, url: true }).shape);

/** Parts that are wrong count as not there. */
const placesSchema = z.object({
  nodes: z.array(placeSchema.nullable().catch(null)).transform((nodes) => nodes.filter((node) => node !== null)),
  listen: configSchema.shape.listen.catch({}),
  tls: configSchema.shape.tls.catch(undefined),
});

/**
 * What a file with mistakes says of its nodes' places. Undefined if it names no nodes, or is not JSON.
 *
 * @param folder Relative paths in the file are taken from this folder.
 */
export function placesDespiteMistakes(text: string, folder: string): NodePlaces | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data } = placesSchema.safeParse(json);
  if (data === undefined) return undefined;
  const { nodes, listen, tls } = data;
  return { nodes, listen, ...(tls !== undefined && { tls: completeTls(tls, folder) }) };
}
