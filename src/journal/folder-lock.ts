/**
 * The exclusive lock on a data folder, held for as long as its process lives.
 *
 * It must go with its process, however that ends, and nobody must take it for held because some other process has got the same number since: in a container
 * every process is number 1 or 7. So no file that says "locked by 7", and no socket, which stays behind when its process is killed and whose path has
 * at most 107 bytes. What the operating system drops by itself is a lock on an open file, which Node can't take; but SQLite is in Node, and holds one
 * (`fcntl`, on Linux and on macOS) while it has a transaction open. So an empty database is the lock; nothing is ever written to it.
 *
 * It holds between containers that share the folder, too, because the lock is on the file and in the kernel. On a network file system it is worth what that makes of
 * `fcntl` locks; a data folder belongs on a local disk anyway.
 */

import { DatabaseSync } from "node:sqlite";

const lockName = "lock";

/** Result code of SQLite for "another has the lock". */
const sqliteBusy = 5;

/** Takes the lock; undefined when another process, or another owner in this one, has it. */
export function lockFolder(folder: string): Disposable | undefined {
  const database = new DatabaseSync(`${folder}/${lockName}`, { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return undefined;
    throw error;
  }
  return { [Symbol.dispose]: () => database.close() };
}
