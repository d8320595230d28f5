/**
 * A folder of its own for a test, and what the code under test asks of the file system there, call by call. So a test
 * sees what no reader of the folder can: what would survive a loss of power. A call can be made to fail, and a write to
 * take a part only.
 */

import fs, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";

const { open, rename, unlink } = fs;

/** What files are asked for beside `open`, `rename` and `unlink`. */
const handleCalls = ["writeFile", "writev", "sync", "datasync", "truncate", "close"] as const;

export class TracedFiles implements AsyncDisposable {
  /** The folder's path. */
  readonly path: string;
  /** The calls that have gone well, in order, such as `writev a/b`. `*` stands for a name that was drawn. */
  readonly calls: string[] = [];
  /** Calls that are to fail. They do not reach the system. */
  failing: RegExp | undefined;
  /** Bytes that a `writev` takes, at most. */
  writeBytes = Number.POSITIVE_INFINITY;

  private constructor(path: string) {
    this.path = path;
    fs.open = async (...args) => {
      const place = this.#place(args[0]);
      const handle = await this.#call(`open ${place} ${args[1]}`, () => open(...args));
      this.#watch(handle, place);
      return handle;
    };
    fs.rename = (from, to) => this.#call(`rename ${this.#place(from)} ${this.#place(to)}`, () => rename(from, to));
    fs.unlink = (file) => this.#call(`unlink ${this.#place(file)}`, () => unlink(file));
    syncBuiltinESMExports();
  }

  static async make(): Promise<TracedFiles> {
    return new TracedFiles(await fs.mkdtemp(join(tmpdir(), "weir-traced-")));
  }

  /** The calls of the work, in order, but for those of other kinds. */
  async callsOf(work: () => Promise<unknown>, kinds = /^/): Promise<string[]> {
    this.calls.length = 0;
    await work();
    return this.calls.filter((call) => kinds.test(call));
  }

  /** The files and folders that the work makes durable, in order. */
  async syncedBy(work: () => Promise<unknown>): Promise<string[]> {
    const calls = await this.callsOf(work, /^(?:data)?sync /);
    return calls.map((call) => call.slice(call.indexOf(" ") + 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Object.assign(fs, { open, rename, unlink });
    syncBuiltinESMExports();
    await fs.rm(this.path, { recursive: true });
  }

  #watch(handle: FileHandle, place: string): void {
    for (const name of handleCalls) {
      const own = (handle[name] as (...args: unknown[]) => Promise<unknown>).bind(handle);
      const traced = (...args: unknown[]): Promise<unknown> => {
        const given = name === "writev" ? [this.#head(args[0] as readonly Buffer[]), ...args.slice(1)] : args;
        return this.#call(`${name} ${place}`, () => own(...given));
      };
      Object.defineProperty(handle, name, { value: traced });
    }
  }

  async #call<T>(call: string, work: () => Promise<T>): Promise<T> {
    if (this.failing?.test(call)) throw Object.assign(new Error(`EIO: ${call}`), { code: "EIO" });
    const result = await work();
    this.calls.push(call);
    return result;
  }

  /** The first of the bytes, as many as are taken. */
  #head(buffers: readonly Buffer[]): readonly Buffer[] {
    if (this.writeBytes === Number.POSITIVE_INFINITY) return buffers;
    return [Buffer.concat(buffers).subarray(0, this.writeBytes)];
  }

  #place(path: unknown): string {
    return relative(this.path, resolve(String(path))).replace(/[0-9a-f]{32}/, "*");
  }
}
