/** The lease: who must confirm it, from when it counts, and what ends it (V8, V9, V10, V11, V12, V13). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock, Timer } from "../../../src/base/clock.ts";
import { Lease, peersNeeded } from "../../../src/core/lease.ts";

/** T, and the holder's part of it, in milliseconds. */
const leaseMs = 1000;
const heldMs = 950;

/**
 * Both clocks of a host, each of which a test may move by itself: one stands still while the host sleeps, the other may
 * be set.
 */
class TwoClocks implements Clock {
  monotonic = 5000;
  wall = Date.UTC(2030, 0, 1);

  now(): number {
    return this.monotonic;
  }

  wallMs(): number {
    return this.wall;
  }

  after(): Timer {
    throw new Error("a lease sets no timer");
  }

  pass(ms: number): void {
    this.monotonic += ms;
    this.wall += ms;
  }
}

/** A lease of one of `members`, under a view just adopted. */
function leaseOf(members: number, replicas = 2): { readonly clock: TwoClocks; readonly lease: Lease } {
  const clock = new TwoClocks();
  const lease = new Lease(clock);
  lease.reset(peersNeeded(members, true, replicas), leaseMs);
  return { clock, lease };
}

/** Of a pair, confirmed just now. */
function heldLease(): { readonly clock: TwoClocks; readonly lease: Lease } {
  const parts = leaseOf(2);
  parts.lease.confirm("b", parts.lease.stamp());
  assert.equal(parts.lease.held(), true);
  return parts;
}

describe("Lease, by peers", () => {
  it("is not changed by who asks how long it lasts", () => {
    const { clock, lease } = leaseOf(3);
    lease.confirm("b", lease.stamp());
    clock.wall -= 1_000;
    assert.equal(lease.leftMs, 0);
    clock.wall += 1_000;
    assert.deepEqual([lease.held(), lease.leftMs], [true, heldMs]);
    clock.wall -= 1_000;
    assert.equal(lease.held(), false);
  });

  it("takes more than half of the members, this one included", () => {
    for (const [members, needed] of [
      [2, 1],
      [3, 1],
      [4, 2],
      [5, 2],
      [6, 3],
      [7, 3],
    ] as const) {
      const { lease } = leaseOf(members);
      assert.ok(needed + 1 > members / 2 && needed <= members / 2, "what the test says is a majority");
      for (let peer = 1; peer <= needed; peer++) {
        assert.equal(lease.held(), false, `${peer - 1} of ${members} peers`);
        lease.confirm(`peer ${peer}`, lease.stamp());
      }
      assert.equal(lease.held(), true, `${needed} peers of ${members} members`);
    }
  });

  it("of a member that is no voter takes more than half of those that are", () => {
    assert.deepEqual(
      [1, 2, 3, 4].map((voters) => peersNeeded(voters, false, 2)),
      [1, 2, 2, 3],
    );
  });

  it("takes different peers: one that confirms twice is one", () => {
    const { clock, lease } = leaseOf(5);
    lease.confirm("b", lease.stamp());
    clock.pass(1);
    lease.confirm("b", lease.stamp());
    assert.equal(lease.held(), false);
  });

  it("of a member alone with nobody to replicate to is held as long as its view stands", () => {
    const { clock, lease } = leaseOf(1, 1);
    clock.pass(1e9);
    assert.deepEqual([lease.held(), lease.leftMs], [true, Number.POSITIVE_INFINITY]);
  });

  it("of a member alone that should have replicas is confirmed by the store only", () => {
    const { lease } = leaseOf(1);
    lease.confirm("b", lease.stamp());
    assert.equal(lease.held(), false);
    lease.confirmByStore(lease.stamp());
    assert.equal(lease.held(), true);
  });

  it("lasts for the holder's part of T and not a moment longer", () => {
    const { clock, lease } = heldLease();
    assert.equal(lease.leftMs, heldMs);
    clock.pass(heldMs - 1);
    assert.deepEqual([lease.held(), lease.leftMs], [true, 1]);
    clock.pass(1);
    assert.deepEqual([lease.held(), lease.leftMs], [false, 0]);
    clock.pass(1);
    assert.deepEqual([lease.held(), lease.leftMs], [false, 0]);
  });

  it("counts from when the request was sent, not from when its answer came", () => {
    const { clock, lease } = leaseOf(2);
    const sentAt = lease.stamp();
    clock.pass(600);
    lease.confirm("b", sentAt);
    assert.equal(lease.leftMs, heldMs - 600);
    const { clock: late, lease: missed } = leaseOf(2);
    const old = missed.stamp();
    late.pass(heldMs);
    missed.confirm("b", old);
    assert.equal(missed.held(), false);
  });

  it("counts from the freshest majority's oldest request", () => {
    const { clock, lease } = leaseOf(5);
    for (const peer of ["b", "c", "d"]) {
      lease.confirm(peer, lease.stamp());
      clock.pass(100);
    }
    // Asked 300, 200 and 100 ago; two of them are needed.
    assert.equal(lease.leftMs, heldMs - 200);
    lease.confirm("b", lease.stamp());
    assert.equal(lease.leftMs, heldMs - 100);
  });

  it("is not shortened by an answer that comes after a later one", () => {
    const { clock, lease } = leaseOf(2);
    const early = lease.stamp();
    clock.pass(100);
    lease.confirm("b", lease.stamp());
    lease.confirm("b", early);
    assert.equal(lease.leftMs, heldMs);
  });
});

describe("Lease, by the store", () => {
  it("is as good as one by peers, and counts from when the read was sent", () => {
    const { clock, lease } = leaseOf(5);
    const sentAt = lease.stamp();
    clock.pass(400);
    lease.confirmByStore(sentAt);
    assert.deepEqual([lease.held(), lease.leftMs], [true, heldMs - 400]);
  });

  it("lasts as long as the later of both", () => {
    const { clock, lease } = leaseOf(2);
    lease.confirmByStore(lease.stamp());
    clock.pass(100);
    lease.confirm("b", lease.stamp());
    assert.equal(lease.leftMs, heldMs);
    clock.pass(100);
    const sentAt = lease.stamp();
    clock.pass(100);
    lease.confirmByStore(sentAt);
    assert.equal(lease.leftMs, heldMs - 100);
  });

  it("is not shortened by a read that comes back after a later one", () => {
    const { clock, lease } = leaseOf(1);
    const early = lease.stamp();
    clock.pass(100);
    lease.confirmByStore(lease.stamp());
    lease.confirmByStore(early);
    assert.equal(lease.leftMs, heldMs);
  });
});

describe("Lease, its end", () => {
  it("comes with a newer view, and what was confirmed before counts no more", () => {
    const { lease } = heldLease();
    lease.confirmByStore(lease.stamp());
    lease.reset(peersNeeded(3, true, 2), leaseMs);
    assert.deepEqual([lease.held(), lease.leftMs], [false, 0]);
    lease.confirm("c", lease.stamp());
    assert.equal(lease.held(), true);
  });

  it("comes when the wall clock is set back, and nothing confirmed before counts any more", () => {
    const { clock, lease } = heldLease();
    const before = lease.stamp();
    clock.pass(100);
    assert.equal(lease.held(), true);
    clock.wall -= 60_000;
    assert.equal(lease.held(), false);
    lease.confirm("b", lease.stamp());
    assert.equal(lease.held(), true);
    clock.wall -= 5;
    assert.equal(lease.held(), true, "it is being adjusted");
    assert.ok(before.wallMs > clock.wall);
  });

  for (const confirm of ["by a peer", "by the store"]) {
    it(`comes when the host has slept after the wall clock was set back, also if ${confirm} it is confirmed for what was asked before that`, () => {
      const { clock, lease } = leaseOf(2);
      const asked = lease.stamp();
      clock.pass(10);
      clock.wall -= 3_600_000;
      assert.equal(lease.held(), false);
      if (confirm === "by a peer") lease.confirm("b", asked);
      else lease.confirmByStore(asked);
      // Its monotonic clock stands still meanwhile.
      clock.wall += 60_000;
      assert.equal(lease.held(), false);
    });
  }

  it("is confirmed by what is asked at the moment at which the wall clock is seen to have been set back", () => {
    const { clock, lease } = heldLease();
    clock.pass(10);
    clock.wall -= 3_600_000;
    lease.confirm("b", lease.stamp());
    assert.equal(lease.held(), true);
  });

  it("comes when the host has slept, though its monotonic clock stood still", () => {
    const { clock, lease } = heldLease();
    clock.wall += heldMs;
    assert.deepEqual([lease.held(), lease.leftMs], [false, 0]);
  });

  it("comes when the wall clock is set forward, and the next confirmation mends it", () => {
    const { clock, lease } = heldLease();
    clock.wall += 3_600_000;
    assert.equal(lease.held(), false);
    clock.pass(1);
    lease.confirm("b", lease.stamp());
    assert.deepEqual([lease.held(), lease.leftMs], [true, heldMs]);
  });

  it("comes for good when the member ends", () => {
    for (const { clock, lease } of [heldLease(), leaseOf(1, 1)]) {
      lease.void();
      clock.pass(1);
      for (const peer of ["b", "c", "d"]) lease.confirm(peer, lease.stamp());
      lease.confirmByStore(lease.stamp());
      assert.deepEqual([lease.held(), lease.leftMs], [false, 0]);
    }
  });

  it("was never there before a view was adopted", () => {
    const lease = new Lease(new TwoClocks());
    lease.confirm("b", lease.stamp());
    lease.confirmByStore(lease.stamp());
    assert.equal(lease.held(), false);
  });
});
