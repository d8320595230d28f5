/**
 * The worlds in which planted bugs were found, kept in `caught.json` so that they are found again at once. `npm run
 * simulate -- --mutations --keep` writes it anew.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { profileNames } from "./fault-kinds.ts";

const schema = z.record(z.string(), z.object({ profile: z.enum(profileNames), seed: z.number() }));
export type CaughtIn = z.infer<typeof schema>[string];

const path = join(import.meta.dirname, "caught.json");

/** By the bug's name. */
export function readCaught(): ReadonlyMap<string, CaughtIn> {
  return new Map(Object.entries(schema.parse(JSON.parse(readFileSync(path, "utf8")))));
}

export function writeCaught(caught: ReadonlyMap<string, CaughtIn>): void {
  const sorted = [...caught].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const lines = sorted.map(([name, { profile, seed }]) => {
    return `  ${JSON.stringify(name)}: { "profile": ${JSON.stringify(profile)}, "seed": ${seed} }`;
  });
  writeFileSync(path, `{\n${lines.join(",\n")}\n}\n`);
}
