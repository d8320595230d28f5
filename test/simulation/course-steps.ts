/**
 * Steps that several courses of events have in common: nodes are lost for good, an operator has them forgotten, the
 * others go on, and clients write, remove and ask again.
 */

import assert from "node:assert/strict";
import type { WriteOutcome } from "../../src/core/operation.ts";
import { formatView, parseView, ringOf, type View, viewName } from "../../src/core/view.ts";
import { forgottenView } from "../../src/core/view-changes.ts";
import { deleteOf } from "../harness/write-operations.ts";
import type { SimHost } from "./sim-cluster.ts";
import type { Asked, StagedCluster } from "./staged-cluster.ts";

/** L, in virtual milliseconds. */
export const lateEffectMs = 120_000;
/** A key that does not wait for L answers much sooner, and its state is in the store much sooner. */
export const soonMs = 20_000;
/** Clients wait for no answer longer than this. */
const answerMs = 60_000;

export function viewIn({ store }: StagedCluster): View {
  return parseView(store.peek(viewName)?.body ?? Buffer.of());
}

export function objectOf({ store }: StagedCluster, key: string): string | undefined {
  return store.peek(key)?.body.toString();
}

/** The first key that suits. */
export function keyThat(suits: (key: string) => boolean): string {
  for (let number = 0; ; number++) if (suits(`k${number}`)) return `k${number}`;
}

/** The ring of these members of the view. */
export function ringAmong(view: View, ids: readonly string[]): ReturnType<typeof ringOf> {
  return ringOf(
    view.members.filter(({ id }) => ids.includes(id)),
    view.parameters,
  );
}

/** A key of which a is the primary and b the other owner; without those who go, `next` is the primary. */
export function keyOfBoth(cluster: StagedCluster, going: readonly string[] = ["a", "b"], next = "c"): string {
  const view = viewIn(cluster);
  const ids = view.members.map(({ id }) => id);
  const ring = ringAmong(view, ids);
  const later = ringAmong(
    view,
    ids.filter((id) => !going.includes(id)),
  );
  return keyThat((key) => ring.ownersOf(key).join() === "a,b" && later.ownersOf(key)[0] === next);
}

export async function pass({ world }: StagedCluster, ms: number, isOver?: () => boolean): Promise<void> {
  await world.run(world.now + ms, isOver);
}

/** The hosts end at once, and their disks are gone. */
export function destroy(hosts: readonly SimHost[]): void {
  for (const host of hosts) {
    host.crash();
    host.loseFolder();
  }
}

/** An operator has these forgotten, one after the other. */
export async function forget(cluster: StagedCluster, ids: readonly string[], pauseMs = 5_000): Promise<void> {
  for (const id of ids) {
    const view = forgottenView(viewIn(cluster), id, true, `without ${id}`) as View;
    void cluster.store.write(viewName, { body: formatView(view), headers: {} }, { kind: "always" });
    await pass(cluster, pauseMs);
  }
}

export async function settle(cluster: StagedCluster): Promise<void> {
  await pass(cluster, 40_000, () => viewIn(cluster).settled);
  assert.ok(viewIn(cluster).settled, "the others go on");
}

/** a and b are lost for good, and forgotten. The others go on. */
export async function loseBoth(cluster: StagedCluster): Promise<void> {
  destroy(cluster.hosts.slice(0, 2));
  await pass(cluster, 5_000);
  await forget(cluster, ["a", "b"]);
  await settle(cluster);
}

/** The host ends at once and begins anew with its disk. That view settles, too. */
export async function restart(cluster: StagedCluster, host: SimHost): Promise<void> {
  const { epoch } = viewIn(cluster);
  host.crash();
  host.start();
  const isSettled = (): boolean => viewIn(cluster).settled && viewIn(cluster).epoch > epoch;
  await pass(cluster, 30_000, isSettled);
  assert.ok(isSettled(), "it is back");
}

/** What a client is told in the end, also if that is an error. */
export async function ended<T>(cluster: StagedCluster, asked: Asked<T>): Promise<Asked<T>> {
  await pass(cluster, answerMs, () => asked.answer !== undefined || asked.error !== undefined);
  return asked;
}

export async function answerOf<T>(cluster: StagedCluster, asked: Asked<T>): Promise<T> {
  const { answer, error } = await ended(cluster, asked);
  assert.ok(answer !== undefined, `a client is answered: ${error?.message ?? "not yet"}`);
  return answer;
}

export async function remove(cluster: StagedCluster, host: SimHost, key: string): Promise<void> {
  const removal = cluster.ask(host, ({ operations }) => operations.write(deleteOf(key)));
  assert.equal((await answerOf(cluster, removal)).kind, "written");
}

/** A body in one piece. */
export async function* inOne(text: string): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from(text);
}

/** A client of this host sends a large value, in one part. It asks for its completion each time that it is told to. */
export async function uploadOf(
  cluster: StagedCluster,
  host: SimHost,
  key: string,
  text: string,
): Promise<() => Asked<WriteOutcome>> {
  const upload = await answerOf(
    cluster,
    cluster.ask(host, ({ operations }) => operations.beginUpload(key, {})),
  );
  const part = { number: 1, length: text.length, body: inOne(text) };
  const tag = await answerOf(
    cluster,
    cluster.ask(host, ({ operations }) => operations.sendPart(key, upload, part)),
  );
  const parts = [{ number: 1, tag, size: text.length }];
  return () =>
    cluster.ask(host, ({ operations }) =>
      operations.completeUpload({ key, upload, parts, headers: {}, precondition: undefined }),
    );
}

/** For how long a client of this host has to ask until it can read the key, in virtual milliseconds. */
export async function readAgainMs(cluster: StagedCluster, host: SimHost, key: string): Promise<number> {
  const from = cluster.world.now;
  for (;;) {
    const { answer } = await ended(
      cluster,
      cluster.ask(host, ({ operations }) => operations.read(key, true)),
    );
    const tookMs = cluster.world.now - from;
    if (answer !== undefined || tookMs > 2 * lateEffectMs) return tookMs;
    await pass(cluster, 1_000);
  }
}

/** How long it takes until the object is that, in virtual milliseconds. */
export async function storedMs(cluster: StagedCluster, key: string, text: string | undefined): Promise<number> {
  const from = cluster.world.now;
  while (objectOf(cluster, key) !== text && cluster.world.now < from + 4 * lateEffectMs) await pass(cluster, 500);
  return cluster.world.now - from;
}
