/** The journal over the simulated disk passes the suite of every disk, so that what runs against that may be believed. */

import { SimDisk } from "../simulation/sim-disk.ts";
import { SimRandom } from "../simulation/sim-random.ts";
import { immediateScheduler } from "../support/immediate-scheduler.ts";
import { journalSuite } from "./journal-suite.ts";

journalSuite("the journal over the simulated disk", () => {
  const disk = new SimDisk(new SimRandom(1));
  return Promise.resolve({
    open: () => Promise.resolve(disk.open(immediateScheduler)),
    bytes: () => disk.bytes,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});
