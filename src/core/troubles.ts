/** What is wrong with a cluster, in plain words, each with what to do. `weir status` and the dashboard show it. */

import { formatBytes, formatDuration, plain, quote } from "../base/quantity-text.ts";
import type { ClusterStatus, FailingKey, MemberStatus } from "./status.ts";
import { storeAwayMs } from "./stop-advice.ts";

/** The troubles, the worst first; none when all is well. */
export function troublesOf(status: ClusterStatus): string[] {
  const { members } = status;
  if (status.trouble !== undefined) return [`${status.self} takes no part in the cluster: ${status.trouble}.`];
  if (members.length === 0)
    return [`${status.self} has not joined the cluster yet: its log and /readyz say what it waits for.`];
  return [
    ...(status.recordTrouble === undefined
      ? []
      : [`The view's record in the store is wrong: ${status.recordTrouble}.`]),
    ...unowned(status),
    ...doubt(status),
    ...unreached(status),
    ...Object.entries(status.refused).map(
      ([id, reason]) => `No link between ${status.self} and ${id}: ${plain(reason)}.`,
    ),
    ...members.flatMap((member) => troublesOfMember(member, status.settled)),
    ...differences(status),
    ...passing(status),
    ...members.flatMap(heldBack),
  ];
}

function unowned({ members }: ClusterStatus): string[] {
  if (members.some(({ weight }) => weight > 0)) return [];
  return ["Nothing is served: no node here owns keys. Start one with a weight above 0."];
}

function doubt({ awaited }: ClusterStatus): string[] {
  if (awaited.length === 0) return [];
  const ids = awaited.join(", ");
  const them = awaited.length === 1 ? "it" : "them";
  return [
    `In doubt: some keys' newest values may be on ${ids} only, and are not served. Start ${them} again with the data folder as it is; if a data folder is gone for good, "weir forget ID --config cluster.json" gives up what only it had.`,
  ];
}

function unreached({ self, leaseMs, members }: ClusterStatus): string[] {
  const ids = members.filter(({ state }) => state === "unreachable").map(({ id }) => id);
  const texts: string[] = [];
  if (leaseMs <= 0)
    texts.push(`No lease: ${self} may not answer now, since neither enough of the others nor the store confirm it.`);
  if (ids.length > 0) {
    texts.push(`Can't be reached by ${self}: ${ids.join(", ")}. ${outlook(members)}`);
  }
  return texts;
}

/** Whether more than half of the members that own keys can't be reached: nothing of theirs is taken over then. */
export function isMajorityLost(members: readonly MemberStatus[]): boolean {
  const owners = members.filter(({ weight }) => weight > 0);
  const lost = owners.filter(({ state }) => state === "unreachable").length;
  return 2 * lost > owners.length;
}

/** What becomes of the keys of members that can't be reached. */
function outlook(members: readonly MemberStatus[]): string {
  return isMajorityLost(members)
    ? `These are more than half, so nothing is taken over here: start enough of them again. For one that is off for good, "weir forget ID --force --config cluster.json" says so.`
    : "If it stays so, the others take over within seconds; it joins again by itself.";
}

/** What keeps the member's values from the store, or in its buffer. */
function troublesOfMember(
  { id, failingKeys, failing, slowing, full, storeFailingMs, dirtyBytes, refusedBytes, refusedRoomBytes }: MemberStatus,
  isSettled: boolean,
): string[] {
  const texts: string[] = [];
  if (storeFailingMs > storeAwayMs) {
    const held = `${formatBytes(dirtyBytes)} wait in its buffer, and it tries again by itself`;
    texts.push(`The store has failed all that ${id} sent for ${formatDuration(storeFailingMs)}: ${held}.`);
  }
  if (slowing) texts.push(`Writers wait at ${id}: a value there is older than buffer.maxDirtyAgeMs.`);
  const why = isSettled ? "the store takes less than they send" : "nothing leaves it before the view is settled";
  if (full) texts.push(`Writers wait at ${id}: its buffer is full (buffer.dirtyBytes), and ${why}.`);
  if (refusedBytes > refusedRoomBytes)
    texts.push(
      `${id} has little room left for what the store refuses, ${formatBytes(refusedBytes)} by now: who wrote that is refused (refused_full). Mend the store, or give it up (weir drop --prefix).`,
    );
  for (const key of failing) texts.push(`Failing at ${id}: ${failingText(key)}`);
  if (failingKeys > failing.length) texts.push(`Failing at ${id}: ${failingKeys - failing.length} more`);
  return texts;
}

/** Settings of files that should be the same. */
function differences({ members }: ClusterStatus): string[] {
  const heard = members.filter(({ lateEffectMs }) => lateEffectMs > 0);
  if (new Set(heard.map(({ lateEffectMs }) => lateEffectMs)).size < 2) return [];
  const values = heard.map(({ id, lateEffectMs }) => `${id} ${formatDuration(lateEffectMs)}`).join(", ");
  return [`flush.lateEffectMs differs: ${values}. The shortest counts. Give all nodes the same, and restart them.`];
}

/** What passes by itself, or was meant so. */
function passing({ self, settled, epoch, awaited, absent, refused, members, replicas }: ClusterStatus): string[] {
  const texts: string[] = [];
  const away = absent.filter((id) => !awaited.includes(id) && refused[id] === undefined);
  if (away.length > 0) {
    const owners = members.filter(({ weight }) => weight > 0).length;
    const cost =
      0 < owners && owners < replicas ? ` Until then each write goes to the store before it is answered.` : "";
    const which =
      away.length === 1
        ? "It joins by itself once started; if it runs, its log and /readyz say what it waits for."
        : "They join by themselves once started; if they run, their logs and /readyz say what they wait for.";
    texts.push(`Not in the cluster: ${away.join(", ")}, by ${self}'s cluster.json. ${which}${cost}`);
  }
  if (!settled && awaited.length === 0)
    texts.push(`Members are changing: view ${epoch} is settled once each key is with all its owners.`);
  return texts;
}

/** What waits although the store works. */
function heldBack({ id, heldKeys }: MemberStatus): string[] {
  if (heldKeys === 0) return [];
  const keys = heldKeys === 1 ? "1 key" : `${heldKeys} keys`;
  return [
    `Held back at ${id}: ${keys}. The store gave no answer to an earlier request, which could undo what is to be sent. They are sent at the latest flush.lateEffectMs after it.`,
  ];
}

/** A key whose flush fails, as a person reads it. */
export function failingText({ key, isDelete, size, ageMs, code, reason, holder }: FailingKey): string {
  const what = isDelete ? "its removal" : formatBytes(size);
  const by = holder === undefined ? "" : `, by ${plain(holder)}`;
  return `${quote(key)} (${what}, for ${formatDuration(ageMs)}${by}): ${plain(reason)} (${code})`;
}
