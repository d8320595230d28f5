/**
 * From a parsed command line to an exit code: 0 done, 1 failed, 2 used wrongly. Expected failures are told in a sentence with what
 * to do next; anything else is a bug and shows its stack.
 */

import { type Command, CommanderError } from "commander";
import { type ErrorCode, errorKinds, OperatingError, UsageError } from "../../base/errors.ts";
import { plain } from "../../base/quantity-text.ts";
import { RefusedError } from "./client.ts";

const done = 0;
const failed = 1;
const usage = 2;

/** What to do about a code here, where the general advice is about HTTP. */
const ownAdvice: Partial<Record<ErrorCode, string>> = {
  unauthorized: "Give a token of this cluster with --token-file FILE or in WEIR_TOKEN.",
};

/** A node that can't be reached from here, unlike one that another node can't reach, may well be no node at all. */
const unreachedAdvice =
  "Check the address (--url, WEIR_URL or --config), and that a node runs there; if all is right, retry after a while.";

/** Codes whose message says by itself what to do. */
const selfExplaining: readonly ErrorCode[] = ["config_invalid", "disk_failed"];

/** Runs the command that `argv` (with two leading elements, as in `process.argv`) names. Never rejects. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<number> {
  try {
    await program.parseAsync(argv);
    return done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? done : usage;
    if (error instanceof CommandFailure) return failed;
    process.stderr.write(`${failureText(error)}\n`);
    return error instanceof UsageError ? usage : failed;
  }
}

/** The command has failed, and has said so itself. */
export class CommandFailure extends Error {
  override name = "CommandFailure";
}

/** The store has refused this very process, and its words say what is to be mended; who asks a node can only tell the operator. */
function isStoresOwn(error: OperatingError): boolean {
  return error.code === "store_refused" && !(error instanceof RefusedError);
}

/** An error as a person should read it. */
export function failureText(error: unknown): string {
  if (!(error instanceof OperatingError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `weir: this is a bug in weir; please report it:\n${text}`;
  }
  const message = `weir: ${error.message.split("\n").map(plain).join("\n")}`;
  if (selfExplaining.includes(error.code) || isStoresOwn(error)) return message;
  if (error.code === "peer_unreachable" && !(error instanceof RefusedError))
    return `${message}\n      ${unreachedAdvice}`;
  return `${message}\n      ${ownAdvice[error.code] ?? errorKinds[error.code].advice}`;
}
