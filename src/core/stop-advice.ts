/**
 * May this node be stopped? This says in words what stopping it in order (SIGTERM, `weir leave`) and killing it would
 * mean at this moment, from what the protocol keeps.
 *
 * - A node that leaves hands over first, so nothing is lost. But it can leave only through the store.
 * - What a killed node held is on the other owners of each key, and in its journal.
 */

import { formatBytes, formatDuration } from "../base/quantity-text.ts";
import type { MemberFigures, StopAdvice } from "./status.ts";

/** What the advice needs to know of a member. */
export interface StopMember extends Pick<MemberFigures, "dirtyBytes" | "refusedKeys" | "journaled"> {
  readonly id: string;
  readonly weight: number;
  readonly state: "serving" | "waiting" | "unreachable";
  readonly storeFailingMs: number;
  /** For how long the store has answered none of its flushes that are under way, if that is known. In milliseconds. */
  readonly storeSilentMs?: number;
}

export interface StopCluster {
  readonly self: string;
  readonly settled: boolean;
  readonly awaited: readonly string[];
  /** R. */
  readonly replicas: number;
  readonly members: readonly StopMember[];
}

/** A store that has failed a member for this long, in milliseconds, is away: this is no hiccup. */
export const storeAwayMs = 3_000;
/** For an estimate: what a view change takes, in seconds, and how many bytes a second are handed over. */
const viewChangeSeconds = 1;
const handOffBytesPerSecond = 50e6;

/** @param member - one of the cluster's */
export function stopAdvice(cluster: StopCluster, member: StopMember): StopAdvice {
  const killed =
    member.state === "unreachable"
      ? `${cluster.self} does not know. What it held is in its journal if it has one, and counts again when it is started with its data folder.`
      : whenKilled(cluster, member);
  return { ...inOrder(cluster, member), killed };
}

/** Groups members with the same advice, in the order of the first of each. */
export function alikeToStop<T extends { readonly stop: StopAdvice }>(members: readonly T[]): [StopAdvice, T[]][] {
  const groups = Map.groupBy(members, ({ stop }) => JSON.stringify(stop));
  return [...groups.values()].map((alike) => [(alike[0] as T).stop, alike]);
}

function inOrder(cluster: StopCluster, member: StopMember): Omit<StopAdvice, "killed"> {
  const { self, settled, awaited, replicas, members } = cluster;
  const others = members.filter(({ id }) => id !== member.id);
  const down = others.filter(({ state }) => state === "unreachable").map(({ id }) => id);
  const bytes = formatBytes(member.dirtyBytes);
  if (awaited.length > 0)
    return no(`${awaited.join(", ")} may have the only copies of some values: bring that back first.`);
  if (member.state === "unreachable")
    return no(`${self} does not reach it, and does not know what it holds: see its log, or ask another node.`);
  if (down.length > 0)
    return no(
      `${down.join(", ")} can't be reached, and what the store lacks may be on this node only: bring that back first.`,
    );
  if (settled && members.every(({ weight }) => weight === 0))
    return yes("It owns nothing, and neither does any other node: nothing is served anyway.");
  if (!settled || members.some(({ state }) => state === "waiting"))
    return { verdict: "wait", inOrder: "The nodes are still handing over values: look again in a moment." };
  if (member.storeFailingMs > storeAwayMs) {
    const since = formatDuration(member.storeFailingMs);
    return no(
      `The store has failed it for ${since}, and a node leaves by way of the store: after flush.stopMs it would end without having handed over, and its keys wait until it or the store is back.`,
    );
  }
  if (member.storeSilentMs !== undefined && member.storeSilentMs > storeAwayMs) {
    const since = formatDuration(member.storeSilentMs);
    return {
      verdict: "wait",
      inOrder: `The store has not answered it for ${since}, and a node leaves by way of the store: look again in a moment.`,
    };
  }
  if (member.weight === 0) return yes("It owns nothing, so only its own clients miss it.");
  if (!others.some(({ weight }) => weight > 0)) {
    if (member.dirtyBytes === 0)
      return yes("Everything is in the store. While this only node is down nothing is served.");
    const kept = member.journaled
      ? "what is not there after flush.stopMs is in its journal"
      : "what is not there after flush.stopMs is lost";
    return {
      verdict: "wait",
      inOrder: `It is the only owner, and ${bytes} are not in the store: run weir flush first (${kept}).`,
    };
  }
  const heirs = others.filter(({ weight }) => weight > 0);
  // With fewer owners than copies, the heirs need the store: for each write, and a single heir for its lease, too.
  if (heirs.every(({ storeFailingMs }) => storeFailingMs > storeAwayMs)) {
    const ids = heirs.map(({ id }) => id).join(", ");
    const since = formatDuration(Math.max(...heirs.map(({ storeFailingMs }) => storeFailingMs)));
    return no(`The store has failed ${ids} for ${since}, and nobody else would be left: mend that first.`);
  }
  const refused =
    member.refusedKeys === 0 ? "" : ` The store refuses ${member.refusedKeys} of its keys; the others will hold them.`;
  const remaining = heirs.length;
  const short =
    remaining < replicas
      ? ` Until it is back, each write goes to the store before it is answered: only ${remaining} of ${replicas} owners are left.`
      : "";
  const seconds = Math.ceil(viewChangeSeconds + member.dirtyBytes / handOffBytesPerSecond);
  return yes(`It hands over ${bytes} to the others, in about ${seconds} s.${short}${refused}`);
}

function whenKilled({ replicas, members, settled }: StopCluster, member: StopMember): string {
  // A member that owns nothing has no copy of anything, and cannot go on without the only owner.
  const others = members.filter(({ id, state, weight }) => id !== member.id && state !== "unreachable" && weight > 0);
  const copies = Math.min(replicas - 1, others.length);
  const bytes = formatBytes(member.dirtyBytes);
  const nodes = copies === 1 ? "one other node" : `${copies} other nodes`;
  const elsewhere = copies > 0 && settled;
  if (member.weight === 0 && member.dirtyBytes === 0) return "Nothing is lost: it owns nothing.";
  const served =
    others.length > 0
      ? "Its keys answer again within seconds if the store is up."
      : "Nothing is served until it is back.";
  if (member.dirtyBytes === 0) return `Nothing is lost: the store has all that it holds. ${served}`;
  if (member.journaled) {
    const disk = elsewhere
      ? `without its disk, ${bytes} are on ${nodes} only`
      : `without its disk, ${bytes} may be lost`;
    return `Nothing is lost: its journal has what it holds (${disk}). ${served}`;
  }
  return elsewhere
    ? `Nothing is lost yet: ${bytes} that the store lacks are then on ${nodes} only. ${served}`
    : `${bytes} that the store lacks may be lost: there is no journal, and perhaps no other copy.`;
}

function yes(text: string): Omit<StopAdvice, "killed"> {
  return { verdict: "yes", inOrder: text };
}

function no(text: string): Omit<StopAdvice, "killed"> {
  return { verdict: "no", inOrder: text };
}
