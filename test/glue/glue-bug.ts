/**
 * What a planted bug of an adapter or of the composition is. The simulator runs neither of them: its disk, store,
 * network and settings are its own. So each of their duties has a bug that leaves the duty out, and a test of real
 * files, real sockets or a real node that must find it.
 */

import type { SourceBug } from "../simulation/mutate.ts";

export interface GlueBug extends SourceBug {
  /** The duty that it leaves out, in a sentence; first the number of the rule, if there is one. */
  readonly breaks: string;
  /** The test that must find it. */
  readonly test: FindingTest;
}

export interface FindingTest {
  /** From the root, with forward slashes. */
  readonly file: string;
  /** The test's whole name, without that of its `describe`. No other test of the file has it. */
  readonly name: string;
  /** What the test says when it fails: a test that fails for another reason has not found the bug. */
  readonly says: RegExp;
}
