/**
 * How many of the runtime's threads for files the folder uses at a time. The runtime has four for the whole process.
 * What comes after that waits in the runtime's queue, in the order in which it came. The journal's next write would
 * wait there behind all that the folder has to do. So the folder's own calls wait here, and leave a thread free.
 */

/** Three of the runtime's four threads. A sync takes most of a write's time, and several at a time cost little more. */
export const laneCount = 3;

export class FileLanes {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count = laneCount) {
    this.#free = count;
  }

  /**
   * Does the work once there is a lane for it: first come, first served. The work is calls to the file system, one
   * after the other. It must not wait for other work that needs a lane.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
