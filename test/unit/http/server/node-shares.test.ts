/** Whose share a request counts in. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeShares } from "../../../../src/http/server/node-shares.ts";

const places = { uploads: 1, downloads: 1, requests: 1, listings: 1, connections: 100 };

/** How many holders these addresses are. */
function holdersOf(...addresses: readonly (string | undefined)[]): number {
  const shares = new NodeShares({ inFlightBytes: 1, unreadBytes: 1, uploadBytes: 1, ...places });
  const holders = new Set(addresses.map((address) => shares.takeFor("connections", address, 1)?.holder.name));
  assert.ok(!holders.has(undefined));
  return holders.size;
}

test("an address of IPv6 counts by its /64, and one of IPv4 by itself", () => {
  assert.equal(holdersOf("2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"), 1, "2001:db8:1:2::/64");
  assert.equal(
    holdersOf("2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8::1", "::1"),
    4,
    "other networks than 2001:db8:1:2",
  );
  assert.equal(holdersOf("10.0.0.1", "::ffff:10.0.0.1"), 1);
  assert.equal(holdersOf("10.0.0.1", "10.0.0.2"), 2);
  assert.equal(holdersOf(undefined, undefined), 1, "one that has gone");
});
