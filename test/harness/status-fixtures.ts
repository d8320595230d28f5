/** What a node says of a small cluster that is well, to be changed by what a test is about. */

import type { ClusterStatus, MemberStatus } from "../../src/core/status.ts";
import { noFigures } from "../../src/member/admin/status.ts";

export function memberStatus(id: string, changes: Partial<MemberStatus> = {}): MemberStatus {
  return {
    id,
    url: `http://127.0.0.1:707${id.charCodeAt(0) % 10}`,
    zone: undefined,
    weight: 1,
    share: 0.5,
    state: "serving",
    ...noFigures,
    journaled: true,
    lateEffectMs: 900_000,
    storeFailingMs: 0,
    stop: { verdict: "yes", inOrder: "", killed: "" },
    ...changes,
  };
}

export function clusterStatus(members: readonly MemberStatus[], changes: Partial<ClusterStatus> = {}): ClusterStatus {
  const view = { cluster: "photos", self: "a", epoch: 7, settled: true, leaseMs: 812, awaited: [], absent: [] };
  return { ...view, refused: {}, replicas: 2, store: "s3://photos", members, ...changes };
}
