/**
 * From a parsed command line to an exit code: 0 done, 1 failed, 2 used wrongly. An expected failure is told in a
 * sentence, with what to do next. Anything else is a bug and shows its stack.
 */

import { type Command, CommanderError } from "commander";
import { type ErrorCode, errorKinds, OperatingError, UsageError } from "../../base/errors.ts";
import { plain } from "../../base/quantity-text.ts";
import { RefusedError } from "./client.ts";

const done = 0;
const failed = 1;
const usage = 2;

/** What to do about a code on the command line, if the general advice is about HTTP. */
const ownAdvice: Partial<Record<ErrorCode, string>> = {
  unauthorized: "Give a token of this cluster with --token-file FILE or in WEIR_TOKEN.",
};

/** Unlike a peer that another node cannot reach, an unreachable address here may be no node at all. */
const unreachedAdvice =
  "Check the address (--url, WEIR_URL or --config), and that a node runs there; if all is right, retry after a while.";

/** Codes whose message itself says what to do. */
const selfExplaining: readonly ErrorCode[] = ["config_invalid", "disk_failed"];

/** Runs the command that `argv` names. `argv` has two leading elements, as `process.argv` has. Never rejects. */
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

/**
 * The store has refused this very process, and its message says what to correct. A client of a node can only tell the
 * operator.
 */
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
