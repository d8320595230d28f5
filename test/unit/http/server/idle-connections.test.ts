/** When idle connections are closed, by a clock in the test's hand. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { IdleConnections } from "../../../../src/http/server/idle-connections.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";

const keepMs = 800;

class Connection {
  bytesRead = 0;
  isBusy = false;
  isClosed = false;

  destroySoon(): void {
    this.isClosed = true;
  }
}

function world(): { clock: ManualClock; connections: IdleConnections<Connection>; connection: Connection } {
  const clock = new ManualClock();
  const connections = new IdleConnections<Connection>(clock, keepMs, ({ isBusy }) => isBusy);
  const connection = new Connection();
  connections.add(connection);
  return { clock, connections, connection };
}

describe("an idle connection", () => {
  test("is kept for its time, and closed a quarter of it later at most", () => {
    const { clock, connection } = world();
    clock.advance(keepMs);
    assert.equal(connection.isClosed, false);
    clock.advance(keepMs / 4);
    assert.equal(connection.isClosed, true);
  });

  test("is kept for its time from the end of its answer on, however long that took", () => {
    const { clock, connection } = world();
    connection.bytesRead += 100;
    connection.isBusy = true;
    clock.advance(10 * keepMs + 1);
    connection.isBusy = false;
    clock.advance(keepMs);
    assert.equal(connection.isClosed, false);
    clock.advance(keepMs / 4);
    assert.equal(connection.isClosed, true);
  });

  test("is not one on which requests come, each answered before it is looked at", () => {
    const { clock, connection } = world();
    for (let request = 0; request < 20; request++) {
      clock.advance(keepMs / 2);
      connection.bytesRead += 100;
    }
    assert.equal(connection.isClosed, false);
    clock.advance(keepMs);
    assert.equal(connection.isClosed, false);
    clock.advance(keepMs / 4);
    assert.equal(connection.isClosed, true);
  });

  test("that was removed is looked at no more, and no timer is left of it", () => {
    const { clock, connections, connection } = world();
    connections.remove(connection);
    clock.advance(keepMs);
    assert.equal(connection.isClosed, false);
    assert.equal(clock.idle, true);
  });

  test("leaves no timer once they are stopped", () => {
    const { clock, connections } = world();
    connections.stop();
    assert.equal(clock.idle, true);
  });
});
