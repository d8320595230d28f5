/** Ports of the loopback address on which nothing listens. */

import { once } from "node:events";
import { createServer } from "node:net";

const host = "127.0.0.1";

/** The first of `ports` on which something listens already. Undefined if all are free. */
export async function takenPort(ports: readonly number[]): Promise<number | undefined> {
  for (const port of ports) {
    if ((await listenBriefly(port)) === undefined) return port;
  }
  return undefined;
}

/**
 * `count` different free ports, chosen by the system. None is in `others`, which are about to be used. Another process
 * may take a port before the caller uses it. The caller then gets an error.
 */
export async function freePorts(count: number, others: ReadonlySet<number> = new Set()): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = await listenBriefly(0);
    if (port !== undefined && !others.has(port)) ports.add(port);
  }
  return [...ports];
}

/** The port listened on. Undefined if it is in use. */
async function listenBriefly(port: number): Promise<number | undefined> {
  const server = createServer();
  try {
    server.listen({ port, host, exclusive: true });
    await once(server, "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return undefined;
    throw error;
  }
  const { port: actual } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return actual;
}
