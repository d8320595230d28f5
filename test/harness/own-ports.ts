/**
 * Ports of the loopback address that are this process's own until it ends: what is started on one later, or is ended
 * and started again, finds it free. Those that the system chooses are not: while nothing listens on such a port, it may
 * give it to anybody.
 */

import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { assert } from "../../src/base/assert.ts";
import { takenPort } from "../../src/cli/dev/free-ports.ts";

/** Below the ports that Linux and macOS give to clients and to servers that ask for any. */
const firstPort = 20_000;
const blockPorts = 50;
const blockCount = 240;

/** The first port of a block is listened on by the process whose block it is; it may use the others. */
let nextPort = firstPort;
let endPort = firstPort;

/**
 * `count` ports in a row that nothing listens on, and that no other process gets from here. None is given twice.
 *
 * @throws Error if all blocks are in use.
 */
export async function ownPorts(count: number): Promise<number[]> {
  assert(count < blockPorts, "what is asked for fits into a block");
  for (;;) {
    if (nextPort + count > endPort) await takeBlock();
    const ports = Array.from({ length: count }, (_, index) => nextPort + index);
    nextPort += count;
    if ((await takenPort(ports)) === undefined) return ports;
  }
}

async function takeBlock(): Promise<void> {
  for (let index = 0; index < blockCount; index++) {
    const port = firstPort + index * blockPorts;
    const holder = await listen(port);
    if (holder === undefined) continue;
    holder.unref();
    nextPort = port + 1;
    endPort = port + blockPorts;
    return;
  }
  throw new Error(`no block of ports from ${firstPort} on is free`);
}

/** Undefined if the port is in use. */
async function listen(port: number): Promise<Server | undefined> {
  const server = createServer();
  try {
    server.listen({ port, host: "127.0.0.1", exclusive: true });
    await once(server, "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return undefined;
    throw error;
  }
  return server;
}
