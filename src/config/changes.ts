/**
 * The differences between the configuration that a node runs with and a newer one: those that can take effect while the
 * node runs, and those that can't.
 */

import type { Config, NodeConfig } from "./config.ts";
import { Secret } from "./secret.ts";

export interface ConfigChanges {
  /** Ids of nodes that the newer one adds, removes, or has at another url. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly moved: readonly string[];
  /** Those of {@link liveSettings} that differ. */
  readonly live: readonly string[];
  /**
   * Paths of settings that a node reads only when it starts. Those of the node's own entry are `nodes.ID.weight` and so
   * on.
   */
  readonly needRestart: readonly string[];
}

/** Settings, or groups of them, that take effect while the node runs. */
const liveSettings = [
  "auth",
  "http.hosts",
  "s3.buckets",
  "s3.createBuckets",
  "s3.domain",
  "secret",
  "log.level",
] as const;

/** Settings that the cluster's first node fixes for all: they are part of the view. */
export const sharedSettings: readonly string[] = ["replicas", "peers.leaseMs", "flush.deadlineMs"];

/** Settings that say which store it is. A node that is restarted with another one alone finds no cluster there. */
export const storeSettings: readonly string[] = ["type", "bucket", "container", "account", "prefix", "path"].map(
  (name) => `store.${name}`,
);

/** @param own - the node's id */
export function configChanges(running: Config, newer: Config, own: string): ConfigChanges {
  const { nodes: nodesNow, ...restNow } = running;
  const { nodes: nodesNext, ...restNext } = newer;
  const now = byId(nodesNow);
  const next = byId(nodesNext);
  const ownNow = now.get(own);
  const ownNext = next.get(own);
  const paths = differences(restNow, restNext, "");
  return {
    added: [...next.keys()].filter((id) => !now.has(id)),
    removed: [...now.keys()].filter((id) => !next.has(id)),
    moved: [...next].filter(([id, { url }]) => id !== own && now.has(id) && now.get(id)?.url !== url).map(([id]) => id),
    live: liveSettings.filter((setting) => paths.some((path) => isOf(path, setting))),
    needRestart: [
      ...paths.filter((path) => !liveSettings.some((setting) => isOf(path, setting))),
      // A node that is in only one of the two is reported as added or removed. That says it all.
      ...(ownNow !== undefined && ownNext !== undefined ? differences(ownNow, ownNext, `nodes.${own}`) : []),
    ],
  };
}

function isOf(path: string, setting: string): boolean {
  return path === setting || path.startsWith(`${setting}.`);
}

function byId(nodes: readonly NodeConfig[]): ReadonlyMap<string, NodeConfig> {
  return new Map(nodes.map((node) => [node.id, node]));
}

function differences(now: unknown, next: unknown, path: string): string[] {
  if (now instanceof Secret && next instanceof Secret) return now.equals(next) ? [] : [path];
  if (!isGroup(now) || !isGroup(next)) return Object.is(now, next) ? [] : [path];
  const names = new Set([...Object.keys(now), ...Object.keys(next)]);
  return [...names].flatMap((name) => differences(now[name], next[name], path === "" ? name : `${path}.${name}`));
}

function isGroup(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !(value instanceof Secret);
}
