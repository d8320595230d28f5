/** `weir token`: makes a client token, and the entry for cluster.json that lets it in. */

import { type Command, InvalidArgumentError, Option } from "commander";
import { type Right, rights } from "../../access/grant.ts";
import { formatToken, hashToken } from "../../access/token.ts";
import { UsageError } from "../../base/errors.ts";
import { tokenSchema } from "../../config/schema.ts";
import { reservedPrefix } from "../../core/keys.ts";
import { systemRandom } from "../../system.ts";
import { printJson, printLine, type Terminal } from "../process/terminal.ts";

interface TokenOptions {
  readonly name: string;
  readonly allow: readonly Right[];
  readonly prefix?: string;
  readonly json?: boolean;
}

export function addTokenCommand(program: Command, terminal: Terminal): void {
  program
    .command("token")
    .summary("make a token for a client")
    .description(
      "Makes a token and prints it, once: cluster.json has its hash only. The token alone goes to the standard output, all else to the standard error. Nodes that run take the new entry at once; to change a token, add the new one, hand it out, and remove the old one.",
    )
    .requiredOption("--name <name>", "who uses it, as refusals name it")
    .addOption(
      new Option("--allow <rights>", `what it is for, separated by commas: ${rights.join(", ")}`)
        .argParser(parseRights)
        .default(["read", "write"], "read,write"),
    )
    .option("--prefix <prefix>", "for keys that begin with this only")
    .option("--json", 'print it as JSON: { "token", "entry" }')
    .addHelpText(
      "after",
      "\nExamples:\n  weir token --name web --prefix photos/\n  weir token --name prometheus --allow monitor\n  weir token --name me --allow read,write,admin > me.token",
    )
    .action((options: TokenOptions) => makeToken(options, terminal));
}

function makeToken({ name, allow, prefix, json }: TokenOptions, terminal: Terminal): void {
  if (prefix === "") throw new UsageError("--prefix: is empty; leave it out for a token that is for all keys");
  if (prefix?.startsWith(reservedPrefix)) {
    throw new UsageError(`--prefix: keys that begin with ${reservedPrefix} are weir's own, which no token is for`);
  }
  // Twice 128 bits, in hex.
  const token = formatToken(Buffer.from(systemRandom.id() + systemRandom.id(), "hex"));
  const entry = { name, hash: hashToken(token), allow, ...(prefix !== undefined && { prefix }) };
  const issues = tokenSchema.safeParse(entry).error?.issues ?? [];
  if (issues.length > 0) {
    const texts = issues.map(({ path, message }) => `--${path.join(".")}: ${message}`);
    throw new UsageError(texts.join("; "));
  }
  if (json) {
    printJson(terminal, { token, entry });
    return;
  }
  // Only the token goes to the standard output, so that "> FILE" makes a file for --token-file.
  const { stderr } = terminal;
  stderr.write("The token, shown only this once; whoever has it can do what it allows:\n\n");
  printLine(terminal, token);
  stderr.write(`\nIts entry, for the list "tokens" of "auth" in cluster.json:\n\n  ${JSON.stringify(entry)}\n\n`);
  stderr.write(
    'Clients send it as "Authorization: Bearer TOKEN"; weir itself takes it from --token-file or WEIR_TOKEN.\n',
  );
}

function parseRights(text: string): readonly Right[] {
  return text.split(",").map((each) => {
    const right = rights.find((known) => known === each.trim());
    if (right === undefined) throw new InvalidArgumentError(`It must be some of ${rights.join(", ")}.`);
    return right;
  });
}
