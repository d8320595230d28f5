/** What `weir check` finds out about the disk of a node's data folder. */

import { isOperatingError } from "../../base/errors.ts";
import { formatBytes } from "../../base/quantity-text.ts";
import type { DataDisk } from "../../compose.ts";
import type { Config } from "../../config/config.ts";
import { findOwnNode, hostAddresses } from "../../config/own-node.ts";
import type { Terminal } from "../process/terminal.ts";

export interface CheckedDisk {
  readonly lines: readonly string[];
  /** Undefined where it could not be measured. */
  readonly disk: DataDisk | undefined;
}

/**
 * Undefined without a journal, and where it can't be told which node this host is. Another user than the node's need
 * not have the right to look.
 * @throws OperatingError `disk_failed`
 */
export async function checkDiskOf(
  config: Config,
  node: string | undefined,
  env: Terminal["env"],
): Promise<CheckedDisk | undefined> {
  const own = ownNode(config, node, env);
  if (own === undefined) return undefined;
  const { measureDisk } = await import("../../compose.ts");
  let disk: DataDisk | undefined;
  try {
    disk = await measureDisk(config, own);
  } catch (error) {
    if (!isOperatingError(error, "config_invalid")) throw error;
    return { lines: [`disk     not measured: ${error.message}`], disk: undefined };
  }
  if (disk === undefined) return undefined;
  const { folder, freeBytes, ownBytes, limitBytes } = disk;
  const line = `disk     ${formatBytes(freeBytes)} free for ${folder}; its journal takes ${formatBytes(ownBytes)}, and may take ${formatBytes(limitBytes)}`;
  const isSmall = freeBytes + ownBytes < limitBytes;
  const warning = "         too little: while the store is away it may fill up, and the node is lost then";
  return { lines: isSmall ? [line, warning] : [line], disk };
}

function ownNode(config: Config, node: string | undefined, env: Terminal["env"]): string | undefined {
  try {
    return findOwnNode(config, { node, env, addresses: hostAddresses() }).id;
  } catch (error) {
    if (isOperatingError(error)) return undefined;
    throw error;
  }
}
