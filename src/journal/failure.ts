/** What goes wrong with a data folder, told so that an operator knows what to do. */

import { OperatingError } from "../base/errors.ts";

/** The folder can't be used as it is; the message says what is to be mended. */
export function unusable(message: string, cause?: unknown): OperatingError {
  return new OperatingError("config_invalid", message, cause === undefined ? undefined : { cause });
}

/** The file system refused a write, a sync or whatever else: nothing more is confirmed by this process. */
export function diskFailure(folder: string, cause: unknown): OperatingError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return unusable(
        `the disk of the data folder ${folder} is full (${reason}): make room there and start again`,
        cause,
      );
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return unusable(
        `the data folder ${folder} can't be written (${reason}): give weir's user the right to read and write it, and start again`,
        cause,
      );
    default:
      return unusable(
        `the disk of the data folder ${folder} failed (${reason}): check the disk, then start again; if it is broken, start on an empty folder`,
        cause,
      );
  }
}
