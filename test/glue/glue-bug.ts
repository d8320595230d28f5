/**
 * What a planted bug of an adapter or of the composition is. The simulator runs neither of them: its disk, store,
 * network and settings are its own. So each of their duties has a bug that leaves the duty out, and a test of real
 * files, real sockets or a real node that must find it.
 */

import type { FindingTest, SourceBug } from "../simulation/mutate.ts";

export interface GlueBug extends SourceBug {
  /** The duty that it leaves out, in a sentence; first the number of the rule, if there is one. */
  readonly breaks: string;
  /** The test that must find it. */
  readonly test: FindingTest;
}
