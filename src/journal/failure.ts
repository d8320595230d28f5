/** What goes wrong with a data folder, in words that tell an operator what to do. */

import { OperatingError } from "../base/errors.ts";

/** The folder can't be used as it is. The message says what has to be mended. */
export function unusable(message: string, cause?: unknown): OperatingError {
  return new OperatingError("config_invalid", message, cause === undefined ? undefined : { cause });
}

/** The disk has too little room, although the file system has refused nothing yet. */
export function lacksRoom(folder: string, what: string): OperatingError {
  return failed(`the disk of the data folder ${folder} is full (${what}): make room there`, undefined);
}

/** Another folder is in the place of the one that this process had, or none. */
export function notTheSame(folder: string): OperatingError {
  return failed(
    `the data folder ${folder} is not the one that this process had: is its file system mounted? To start on another folder, restart the node`,
    undefined,
  );
}

/** The file system refused a write, a sync or any other call. This journal confirms nothing more. */
export function diskFailure(folder: string, cause: unknown): OperatingError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  switch (code) {
    case "ENOTDIR":
    case "EEXIST":
    case "ELOOP":
    case "ENAMETOOLONG":
      return unusable(
        `the data folder ${folder} can't be made (${reason}): something in this path is not a folder, or its name can't be that of one`,
        cause,
      );
    case "EACCES":
    case "EPERM":
      return unusable(
        `the data folder ${folder} can't be written (${reason}): give weir's user the right to read and write it, and start again`,
        cause,
      );
    case "EROFS":
      return failed(
        `the data folder ${folder} is on a file system that is read-only (${reason}): mount it for writing, after checking the disk`,
        cause,
      );
    case "ENOENT":
      return failed(
        `the data folder ${folder} is gone, or some of its files are (${reason}): bring them back; if they are gone for good, start on an empty folder`,
        cause,
      );
    case "ENOSPC":
    case "EDQUOT":
      return failed(`the disk of the data folder ${folder} is full (${reason}): make room there`, cause);
    default:
      return failed(
        `the disk of the data folder ${folder} failed (${reason}): check the disk; if it is broken, start on an empty folder`,
        cause,
      );
  }
}

function failed(message: string, cause: unknown): OperatingError {
  return new OperatingError("disk_failed", message, cause === undefined ? undefined : { cause });
}
