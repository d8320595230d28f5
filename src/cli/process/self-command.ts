/** How this program starts itself again as another process, from source or as the single executable. */

import { isSea } from "node:sea";

export interface SelfCommand {
  readonly program: string;
  /** Come before the command's own arguments. */
  readonly arguments: readonly string[];
}

export function selfCommand(): SelfCommand {
  if (isSea()) return { program: process.execPath, arguments: [] };
  return { program: process.execPath, arguments: [...process.execArgv, process.argv[1] as string] };
}
