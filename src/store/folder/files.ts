/**
 * The calls to the file system that writes and look-ups of the folder are made of. There are two kinds: those of the
 * runtime, which a pool of four threads carries out, and those that the calling thread makes itself
 * (`blocking-files.ts`).
 */

import type { BigIntStats } from "node:fs";
import * as fs from "node:fs/promises";

/** An open file or folder. */
export interface OpenFile extends AsyncDisposable {
  writeFile(bytes: Uint8Array): Promise<void>;
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  stat(options: { readonly bigint: true }): Promise<BigIntStats>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Each call does what the runtime's of the same name does. */
export interface Files {
  readonly open: (path: string, flags: string | number) => Promise<OpenFile>;
  readonly readFile: (path: string) => Promise<Buffer>;
  readonly realpath: (path: string) => Promise<string>;
  readonly stat: (path: string, options: { readonly bigint: true }) => Promise<BigIntStats>;
  readonly lstat: (path: string) => Promise<unknown>;
  readonly readdir: (path: string) => Promise<string[]>;
  readonly rename: (from: string, to: string) => Promise<void>;
  readonly unlink: (path: string) => Promise<void>;
  readonly rmdir: (path: string) => Promise<void>;
}

/** By the runtime's pool. */
export const pooledFiles: Files = fs;
