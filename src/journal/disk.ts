/**
 * The port to one folder of append-only files on a disk: what the journal asks of the file system, and no more. Two different things can happen to what
 * was written: it is *there* for whoever reads it (at once), and it is *durable* (after a sync). A name in a folder is durable only once the folder is synced, too.
 *
 * Every failure rejects with an error of the file system. After one of `append` or `sync` nothing is known of the bytes that were not durable
 * before; what a later sync says of them counts for nothing, because a system may forget a failed write once it has told of it.
 */

/** One folder, held by this process alone until it is disposed of or the process ends, however that ends. */
export interface Disk extends AsyncDisposable {
  /** Drawn when the folder was made, and kept in it: 32 hexadecimal digits. */
  readonly folder: string;

  /** Where it is, for people. */
  readonly description: string;

  /** The names of all files in the folder, in any order; also of files that the journal has not made. */
  list(): Promise<readonly string[]>;

  /** Opens a file that is there. */
  open(name: string): Promise<DiskFile>;

  /** Makes an empty file; one of this name must not be there. */
  create(name: string): Promise<DiskFile>;

  remove(name: string): Promise<void>;

  /** Makes durable which names there are. */
  syncFolder(): Promise<void>;

  /** Calls back once when all that this turn of the event loop brings has been dealt with. */
  afterTurn(callback: () => void): void;
}

/** A file that grows at its end. One operation at a time, but for reads. */
export interface DiskFile {
  readonly name: string;

  /** Bytes in it. */
  readonly size: number;

  /** The `length` bytes from `offset` on, all of which must be there, in a buffer that nobody else uses. */
  read(offset: number, length: number): Promise<Buffer>;

  /** Writes the buffers one after the other to the end, in one call to the system; they must not change until then. */
  append(buffers: readonly Buffer[]): Promise<void>;

  /** Writes these bytes once more where they are already, because it is not known whether the disk has them. */
  rewrite(offset: number, bytes: Buffer): Promise<void>;

  /** Makes the file's bytes and its size durable. */
  sync(): Promise<void>;

  /** Cuts it off at `size`; not durable before a sync. */
  truncate(size: number): Promise<void>;

  close(): Promise<void>;
}
