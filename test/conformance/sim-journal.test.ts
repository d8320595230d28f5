/**
 * The journal over the simulated disk passes the suite of every disk, so that what runs against that may be believed.
 */

import { immediateScheduler } from "../harness/immediate-scheduler.ts";
import { SimRandom } from "../harness/sim-random.ts";
import { SimDisk } from "../simulation/sim-disk.ts";
import { journalSuite } from "./journal-suite.ts";

journalSuite("the journal over the simulated disk", () => {
  const disk = new SimDisk(new SimRandom(1));
  return Promise.resolve({
    open: () => Promise.resolve(disk.open(immediateScheduler)),
    bytes: () => disk.bytes,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});
