/**
 * What happened in a run, told twice: as a hash over every step (two runs of one seed must agree on it) and, when
 * somebody wants to read it, as lines.
 */

export class SimTrace {
  readonly #print: ((line: string) => void) | undefined;
  #hash = 0x811c9dc5;
  #count = 0;
  readonly #float = new Float64Array(1);
  readonly #words = new Uint32Array(this.#float.buffer);

  /** Lines go to `print`; without it only the hash is kept, which is what makes a run cheap. */
  constructor(print?: (line: string) => void) {
    this.#print = print;
  }

  /**
   * Notes a step. Only time and `kind` are hashed: every delay is drawn from the seed, so that any other course of
   * events shows in the times soon after.
   */
  add(atMs: number, kind: string, detail: () => string): void {
    let hash = this.#hash;
    this.#float[0] = atMs;
    hash = Math.imul(hash ^ (this.#words[0] as number), 0x01000193);
    hash = Math.imul(hash ^ (this.#words[1] as number), 0x01000193);
    for (let i = 0; i < kind.length; i++) hash = Math.imul(hash ^ kind.charCodeAt(i), 0x01000193);
    this.#hash = hash ^ (hash >>> 13);
    this.#count++;
    this.#print?.(`${atMs.toFixed(2).padStart(10)} ${kind.padEnd(12)} ${detail()}`);
  }

  /** Of all steps so far, with their number. */
  get digest(): string {
    return `${this.#count}-${(this.#hash >>> 0).toString(16).padStart(8, "0")}`;
  }
}
