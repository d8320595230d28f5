/** The program of the thread that makes the changes of a store in a folder (`store/folder/thread-writer.ts`). */

import { parentPort, workerData } from "node:worker_threads";
import { assert } from "./base/assert.ts";
import type { ThreadData } from "./store/folder/thread-messages.ts";
import { serveChanges } from "./store/folder/thread-server.ts";
import { systemClock, systemRandom } from "./system.ts";

assert(parentPort !== null, "this is the program of a thread");
serveChanges(parentPort, workerData as ThreadData, { clock: systemClock, random: systemRandom });
