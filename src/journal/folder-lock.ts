/**
 * The exclusive lock on a data folder, held for as long as its process lives.
 *
 * It must go with its process, however that ends. And nobody must take it for held because another process has got the
 * same number since: in a container every process is number 1 or 7. That rules out two ways:
 *
 * - a file that says "locked by 7";
 * - a socket: it stays behind when its process is killed, and its path has at most 107 bytes.
 *
 * The operating system itself drops a lock on an open file. Node can't take one, but SQLite is in Node, and holds such
 * a lock (`fcntl`, on Linux and on macOS) while it has a transaction open. So an empty database is the lock. Nothing is
 * ever written to it.
 *
 * The lock also holds between containers that share the folder, because it is on the file and in the kernel. On a
 * network file system it is only as good as that system's `fcntl` locks. A data folder belongs on a local disk
 * anyway (J9).
 */

import { closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

const lockName = "lock";

/** Result code of SQLite for "another has the lock". */
const sqliteBusy = 5;

/** Takes the lock. Undefined when another process, or another owner in this one, has it. */
export function lockFolder(folder: string): Disposable | undefined {
  const path = `${folder}/${lockName}`;
  makePrivate(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return undefined;
    throw error;
  }
  return { [Symbol.dispose]: () => database.close() };
}

/**
 * Makes the file if there is none. SQLite would make it readable to others, who could then hold a lock on it. A file
 * that is there is not opened: to close it would drop the lock of this process's other owner.
 */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
