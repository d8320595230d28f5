/** What `weir put` and `weir rm` have in common: the options of a write, and their headers. */

import { type Command, InvalidArgumentError, Option } from "commander";
import type { Durability } from "../../core/operation.ts";
import { addTargetOptions, type TargetOptions } from "../client/target.ts";

export interface WriteOptions extends TargetOptions {
  readonly durability?: Durability;
  /** In the form of the header. */
  readonly ifMatch?: string;
  readonly json?: boolean;
}

const durabilities: readonly Durability[] = ["replicated", "stored"];

export function addWriteOptions(command: Command): Command {
  return addTargetOptions(command)
    .addOption(
      new Option(
        "--durability <durability>",
        "done is what two nodes hold, which is the default, or what the store has",
      ).choices(durabilities),
    )
    .option("--if-match <etag>", "only if this is the ETag of the value that is there; * is any value's", entityTag)
    .option("--json", "print the outcome as JSON");
}

export function writeHeaders({ durability, ifMatch }: WriteOptions): Record<string, string> {
  return {
    ...(durability !== undefined && { "weir-durability": durability }),
    ...(ifMatch !== undefined && { "if-match": ifMatch }),
  };
}

/**
 * The ETag in quotes. The user may leave them out, as `weir get --json` does. An empty ETag, from a variable that is
 * not set, must not mean "no condition".
 */
function entityTag(text: string): string {
  const opaque = /^("?)([\x21\x23-\x7e]+)\1$/.exec(text)?.[2];
  if (opaque === undefined) throw new InvalidArgumentError("It must be one ETag, as weir get --json prints it, or *.");
  return text === "*" ? text : `"${opaque}"`;
}
