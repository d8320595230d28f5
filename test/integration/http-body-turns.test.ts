/** Large bodies of senders that are near: a turn of the event loop has a piece of them. Others have theirs between. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { fullGrant } from "../../src/access/grant.ts";
import { Bodies } from "../../src/http/server/body.ts";
import type { Exchange } from "../../src/http/server/exchange.ts";
import { NodeShares } from "../../src/http/server/node-shares.ts";
import { systemClock } from "../../src/system.ts";

const kibibyte = 1_024;
const bodyBytes = 8 * 1_024 * kibibyte;
const settings = {
  inFlightBytes: bodyBytes,
  bodyTimeoutMs: 60_000,
  bodyIdleMs: 60_000,
  lingerMs: 500,
  leastBytesPerSecond: 1,
  unreadBytes: bodyBytes,
  uploadBytes: bodyBytes,
  partBytes: bodyBytes,
  maxStreamBytes: bodyBytes,
  uploads: 10,
  downloads: 10,
  requests: 10,
  listings: 1,
  connections: 10,
};

/** What so many streams have read in each turn that they read in. */
async function bytesInTurns(streams: number): Promise<number[]> {
  const bodies = new Bodies(systemClock, settings, new NodeShares(settings));
  const turns: number[] = [];
  let inTurn = 0;
  // It is set before the streams set theirs, and runs before them in each turn.
  const endTurn = (): void => {
    if (inTurn > 0) turns.push(inTurn);
    inTurn = 0;
    ender = setImmediate(endTurn);
  };
  let ender = setImmediate(endTurn);
  const server = createServer((request, response) => {
    const exchange = { request, response, grant: fullGrant, awaitsContinue: false } as unknown as Exchange;
    const read = async (): Promise<void> => {
      let size = 0;
      for await (const { length } of bodies.stream(exchange)) {
        inTurn += length;
        size += length;
      }
      response.end(String(size));
    };
    void read();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const answers = Array.from({ length: streams }, async () => {
    const socket = connect(port, "127.0.0.1");
    socket.write(`PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${bodyBytes}\r\n\r\n`);
    socket.write(Buffer.alloc(bodyBytes));
    let text = "";
    for await (const chunk of socket) text += chunk;
    return text;
  });
  for (const text of await Promise.all(answers)) assert.match(text, new RegExp(`\r\n\r\n${bodyBytes}$`));
  clearImmediate(ender);
  server.close();
  bodies[Symbol.dispose]();
  return turns;
}

for (const streams of [1, 4]) {
  test(`${streams} of them: some hundred KiB in a turn of each, and no more`, async () => {
    const turns = await bytesInTurns(streams);
    const most = Math.max(...turns) / kibibyte;
    assert.ok(most <= streams * 320, `${most} KiB in one turn, of ${turns.length}`);
  });
}
