/**
 * The port to one folder of append-only files on a disk: what the journal asks of the file system, and no more.
 *
 * Bytes that are written are *there* at once for everyone who reads them. They are *durable* only after a sync. A name
 * in a folder is durable only once the folder is synced, too.
 *
 * Every failure rejects with an error of the file system. After a failed `append` or `sync`, nothing is known of the
 * bytes that were not durable before. A later sync that succeeds proves nothing about them: a system may forget a
 * failed write once it has reported it.
 */

/** One folder. This process alone holds it until it is disposed of or the process ends, in whatever way. */
export interface Disk extends AsyncDisposable {
  /** Drawn when the folder was made, and kept in it: 32 hexadecimal digits. */
  readonly folder: string;

  /** The folder's path, for people. */
  readonly description: string;

  /** The names of all files in the folder, in any order. Files that the journal has not made are among them. */
  list(): Promise<readonly string[]>;

  /** Opens a file that is there. */
  open(name: string): Promise<DiskFile>;

  /** Makes an empty file. No file of this name may be there. */
  create(name: string): Promise<DiskFile>;

  remove(name: string): Promise<void>;

  /** How much room there is. A quota need not show in it. */
  space(): Promise<DiskSpace>;

  /** Makes the folder's list of names durable. */
  syncFolder(): Promise<void>;

  /** Calls back once, when everything that this turn of the event loop brings has been dealt with. */
  afterTurn(callback: () => void): void;
}

export interface DiskSpace {
  /** Bytes that are free on the file system, for this process. */
  readonly freeBytes: number;
  /** Bytes of the folder's files. */
  readonly ownBytes: number;
  /** Bytes that the file system has, used or free. */
  readonly totalBytes: number;
}

/** A file that grows at its end. One operation at a time; reads may go on beside it. */
export interface DiskFile {
  readonly name: string;

  /** Bytes in it. */
  readonly size: number;

  /** The `length` bytes from `offset` on, all of which must be there. Nobody else uses the buffer. */
  read(offset: number, length: number): Promise<Buffer>;

  /** Writes the buffers one after the other to the end, in one call to the system. They must not change until then. */
  append(buffers: readonly Buffer[]): Promise<void>;

  /** Writes these bytes once more where they already are: it is not known whether the disk has them. */
  rewrite(offset: number, bytes: Buffer): Promise<void>;

  /** Makes the file's bytes and its size durable. */
  sync(): Promise<void>;

  /** Cuts the file off at `size`. That is not durable before a sync. */
  truncate(size: number): Promise<void>;

  close(): Promise<void>;
}
