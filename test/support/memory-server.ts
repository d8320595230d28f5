/** The server for clients over {@link MemoryOperations}, as a process of its own, for the bench. Prints its address. */

import { Access } from "../../src/access/access.ts";
import type { Log } from "../../src/base/log.ts";
import { createHttpServer } from "../../src/http/server.ts";
import { defaultHttpSettings } from "../../src/http/settings.ts";
import { systemClock } from "../../src/system.ts";
import { MemoryAdministration } from "./memory-administration.ts";
import { MemoryOperations } from "./memory-operations.ts";

const log: Log = {
  debug: () => {},
  info: () => {},
  warn: (message, fields) => console.error(message, fields),
  error: (message, fields) => console.error(message, fields),
  child: () => log,
};

const server = createHttpServer({
  operations: new MemoryOperations(),
  administration: new MemoryAdministration(),
  onScrape: () => Promise.resolve({ contentType: "text/plain", text: "" }),
  dashboard: { policy: "default-src 'none'", render: () => "" },
  access: new Access("none"),
  settings: { ...defaultHttpSettings, port: Number(process.argv[2] ?? 0) },
  clock: systemClock,
  log,
});
const { host, port } = await server.listen();
console.log(`http://${host}:${port}`);
