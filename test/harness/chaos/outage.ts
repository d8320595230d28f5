/**
 * A long outage of the store under a flood: writes are taken until buffers are full, then refused, and nothing of what
 * was taken is lost.
 */

import { sleep } from "../../../src/base/clock.ts";
import { systemClock } from "../../../src/system.ts";
import type { FaultMaker, Scene } from "./fault.ts";

const outageMs = 60_000;
/**
 * Each a value of {@link largeValueBytes} at a time: together they fill {@link outageDirtyBytes} in about half the
 * time.
 */
const writers = 6;
const writePauseMs = 120;
export const largeValueBytes = 32_768;
export const outageDirtyBytes = 24 * 1024 ** 2;
/**
 * A buffer counts as full from this part of its limit on: a write that waits for room on several nodes waits for the
 * fullest.
 */
const fullPart = 0.9;
const pollMs = 200;

interface Findings {
  mostDirtyBytes: number;
  acknowledged: number;
  refused: number;
  /** Milliseconds after the beginning, and bytes in the fullest buffer then. */
  firstRefusal: { readonly ms: number; readonly dirtyBytes: number } | undefined;
}

export const outage: FaultMaker = () => ({
  kind: "outage",
  name: `the store is killed for ${outageMs / 1_000} s under a flood`,
  async act(scene) {
    const findings: Findings = { mostDirtyBytes: 0, acknowledged: 0, refused: 0, firstRefusal: undefined };
    scene.begin({ isStoreAway: true });
    await scene.store.begin("killed");
    const beganAt = systemClock.now();
    const goesOn = (): boolean => systemClock.now() - beganAt < outageMs;
    await Promise.all([
      watchBuffers(scene, findings, goesOn),
      ...Array.from({ length: writers }, async (_, writer) => await flood(scene, findings, writer, beganAt, goesOn)),
    ]);
    await scene.store.heal();
    await scene.settle();
    report(scene, findings);
  },
});

async function watchBuffers({ cluster }: Scene, findings: Findings, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    findings.mostDirtyBytes = Math.max(findings.mostDirtyBytes, await cluster.mostDirtyBytes());
    await sleep(systemClock, pollMs);
  }
}

async function flood(
  scene: Scene,
  findings: Findings,
  writer: number,
  beganAt: number,
  goesOn: () => boolean,
): Promise<void> {
  const ids = scene.cluster.members;
  for (let turn = writer; goesOn(); turn++) {
    if (await scene.putLarge(ids[turn % ids.length] as string)) findings.acknowledged++;
    else {
      findings.refused++;
      if (findings.firstRefusal === undefined) {
        const ms = systemClock.now() - beganAt;
        findings.firstRefusal = {
          ms,
          dirtyBytes: Math.max(findings.mostDirtyBytes, await scene.cluster.mostDirtyBytes()),
        };
      }
    }
    await sleep(systemClock, writePauseMs);
  }
}

function report(scene: Scene, { acknowledged, refused, firstRefusal, mostDirtyBytes }: Findings): void {
  const percent = (bytes: number): string => `${((100 * bytes) / outageDirtyBytes).toFixed(0)} %`;
  scene.note(
    firstRefusal === undefined
      ? `${acknowledged} large values taken, none refused; buffers filled to ${percent(mostDirtyBytes)}`
      : `${acknowledged} large values taken, the first of ${refused} refused after ${(firstRefusal.ms / 1_000).toFixed(1)} s at ${percent(firstRefusal.dirtyBytes)} of the dirty limit`,
  );
  if (firstRefusal !== undefined && firstRefusal.dirtyBytes < fullPart * outageDirtyBytes) {
    scene.complain(
      `a write was refused while the fullest buffer held ${percent(firstRefusal.dirtyBytes)} of its limit`,
    );
  }
}
