/** What has changed in a cluster between two looks at it, in words. */

import type { ClusterStatus, MemberStatus } from "../core/status.ts";
import { storeAwayMs } from "../core/stop-advice.ts";

export function changesBetween(before: ClusterStatus, after: ClusterStatus): string[] {
  const texts = [...membersChanged(before, after), ...doubtChanged(before, after)];
  const earlier = new Map(before.members.map((member) => [member.id, member]));
  for (const member of after.members) {
    const then = earlier.get(member.id);
    if (then) texts.push(...memberChanged(then, member));
  }
  return texts;
}

function membersChanged(before: ClusterStatus, after: ClusterStatus): string[] {
  const { epoch, self, members, settled } = after;
  if (epoch === 0) return before.epoch === 0 ? [] : [`${self} is no longer a member, and joins again.`];
  const ids = members.map(({ id }) => id);
  const earlier = before.members.map(({ id }) => id);
  const texts: string[] = [];
  if (before.epoch === 0) texts.push(`${self} has joined: view ${epoch} has ${ids.join(", ")}.`);
  else {
    const came = ids.filter((id) => !earlier.includes(id));
    const gone = earlier.filter((id) => !ids.includes(id));
    if (came.length > 0) texts.push(`${came.join(", ")} joined with view ${epoch}.`);
    if (gone.length > 0) texts.push(`${gone.join(", ")} left, or was lost: not in view ${epoch}.`);
    if (came.length + gone.length === 0 && epoch !== before.epoch)
      texts.push(`View ${epoch} follows view ${before.epoch}.`);
  }
  if (settled && !(before.settled && before.epoch === epoch)) {
    texts.push(`View ${epoch} is settled: each key is with all its owners.`);
  }
  return texts;
}

function doubtChanged(before: ClusterStatus, after: ClusterStatus): string[] {
  const then = before.awaited.join(", ");
  const now = after.awaited.join(", ");
  if (then === now) return [];
  return [now === "" ? "No key is in doubt any more." : `Some keys are in doubt: they wait for ${now}.`];
}

function memberChanged(before: MemberStatus, after: MemberStatus): string[] {
  const { id } = after;
  const texts: string[] = [];
  const wasReached = before.state !== "unreachable";
  const isReached = after.state !== "unreachable";
  if (wasReached !== isReached) texts.push(isReached ? `${id} is reached again.` : `${id} can't be reached.`);
  const wasFailing = before.storeFailingMs > storeAwayMs;
  const isFailing = after.storeFailingMs > storeAwayMs;
  if (wasFailing !== isFailing) {
    texts.push(isFailing ? `The store fails everything that ${id} sends.` : `The store again takes what ${id} sends.`);
  }
  if (before.slowing !== after.slowing) {
    texts.push(
      after.slowing ? `Writers at ${id} wait: a value is older than it may be.` : `Writers at ${id} no longer wait.`,
    );
  }
  if (before.refusedKeys === 0 && after.refusedKeys > 0) texts.push(`The store refuses keys of ${id}.`);
  if (before.refusedKeys > 0 && after.refusedKeys === 0) texts.push(`The store refuses no key of ${id} any more.`);
  return texts;
}
