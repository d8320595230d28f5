/** When connections on which nothing moves are closed, by a clock in the test's hand. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { QuietConnections } from "../../../../src/http/server/quiet-connections.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";

const keepAliveMs = 800;
const stallMs = 1_600;

class Connection {
  bytesRead = 0;
  bytesWritten = 0;
  stallMs: number | undefined;
  end: "closed" | "cut" | undefined;

  destroySoon(): void {
    this.end = "closed";
  }

  destroy(): void {
    this.end = "cut";
  }
}

function world(): { clock: ManualClock; connections: QuietConnections<Connection>; connection: Connection } {
  const clock = new ManualClock();
  const settings = { keepAliveMs, stallMs };
  const connections = new QuietConnections<Connection>(clock, settings, (each) => each.stallMs);
  const connection = new Connection();
  connections.add(connection);
  return { clock, connections, connection };
}

describe("an idle connection", () => {
  test("is kept for its time, and closed a quarter of it later at most", () => {
    const { clock, connection } = world();
    clock.advance(keepAliveMs);
    assert.equal(connection.end, undefined);
    clock.advance(keepAliveMs / 4);
    assert.equal(connection.end, "closed");
  });

  test("is kept for its time from the end of its answer on, however long that took, and the client to take it", () => {
    const { clock, connection } = world();
    connection.bytesRead += 100;
    connection.bytesWritten += 100;
    connection.stallMs = stallMs;
    clock.advance(stallMs - 1);
    connection.stallMs = undefined;
    clock.advance(keepAliveMs);
    assert.equal(connection.end, undefined);
    clock.advance(keepAliveMs / 4);
    assert.equal(connection.end, "closed");
  });

  test("is not one on which requests come, each answered before it is looked at", () => {
    const { clock, connection } = world();
    for (let request = 0; request < 20; request++) {
      clock.advance(keepAliveMs / 2);
      connection.bytesRead += 100;
    }
    assert.equal(connection.end, undefined);
    clock.advance(keepAliveMs);
    assert.equal(connection.end, undefined);
    clock.advance(keepAliveMs / 4);
    assert.equal(connection.end, "closed");
  });

  test("that was removed is looked at no more, and no timer is left of it", () => {
    const { clock, connections, connection } = world();
    connections.remove(connection);
    assert.equal(clock.idle, true);
    clock.advance(keepAliveMs * 2);
    assert.equal(connection.end, undefined);
  });

  test("leaves others their time when it is removed", () => {
    const { clock, connections, connection } = world();
    const other = new Connection();
    connections.add(other);
    connections.remove(connection);
    clock.advance((keepAliveMs * 5) / 4);
    assert.equal(other.end, "closed");
  });
});

describe("a connection with a request under way", () => {
  for (const [direction, name] of [
    ["the request", "bytesRead"],
    ["the answer", "bytesWritten"],
  ] as const) {
    test(`is kept while bytes of ${direction} move, and cut when none have for its time`, () => {
      const { clock, connection } = world();
      connection.stallMs = stallMs;
      for (let chunk = 0; chunk < 20; chunk++) {
        clock.advance(stallMs / 2);
        connection[name] += 100;
      }
      assert.equal(connection.end, undefined);
      clock.advance(stallMs);
      assert.equal(connection.end, undefined);
      clock.advance(keepAliveMs / 4);
      assert.equal(connection.end, "cut");
    });
  }

  test("is kept for longer if its request may take longer", () => {
    const { clock, connection } = world();
    connection.stallMs = 3 * stallMs;
    clock.advance(3 * stallMs);
    assert.equal(connection.end, undefined);
    clock.advance(keepAliveMs / 4);
    assert.equal(connection.end, "cut");
  });
});
