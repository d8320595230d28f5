/** Loaded before a test file that is to take only what other processes leave of the processors. */

import { setPriority } from "node:os";

/** A third of the usual weight. */
const niceness = 5;

setPriority(niceness);
