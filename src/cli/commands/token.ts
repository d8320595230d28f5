/** `weir token`: makes a client token or an S3 key, and the entry for cluster.json that lets it in. */

import { type Command, InvalidArgumentError, Option } from "commander";
import type { z } from "zod";
import { type Right, rights } from "../../access/grant.ts";
import { formatToken, hashToken } from "../../access/token.ts";
import { UsageError } from "../../base/errors.ts";
import { s3KeySchema, tokenSchema } from "../../config/schema.ts";
import { reservedPrefix } from "../../core/keys.ts";
import { systemRandom } from "../../system.ts";
import { printJson, printLine, type Terminal } from "../process/terminal.ts";

interface TokenOptions {
  readonly name: string;
  readonly allow: readonly Right[];
  readonly prefix?: string;
  readonly s3?: boolean;
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
    .option("--s3", "an access key for S3 clients instead: an id and a secret")
    .option("--json", 'print it as JSON: { "token", "entry" }, or { "accessKeyId", "secret", "entry" }')
    .addHelpText(
      "after",
      "\nExamples:\n  weir token --name web --prefix photos/\n  weir token --name prometheus --allow monitor\n  weir token --name me --allow read,write,admin > me.token\n  weir token --s3 --name backup > backup.secret",
    )
    .action((options: TokenOptions) => makeToken(options, terminal));
}

function makeToken(options: TokenOptions, terminal: Terminal): void {
  const { name, allow, prefix, json } = options;
  if (prefix === "") throw new UsageError("--prefix: is empty; leave it out for a token that is for all keys");
  if (prefix?.startsWith(reservedPrefix)) {
    throw new UsageError(`--prefix: keys that begin with ${reservedPrefix} are weir's own, which no token is for`);
  }
  if (options.s3) {
    makeS3Key(options, terminal);
    return;
  }
  // Twice 128 bits, in hex.
  const token = formatToken(Buffer.from(systemRandom.id() + systemRandom.id(), "hex"));
  const entry = { name, hash: hashToken(token), allow, ...(prefix !== undefined && { prefix }) };
  requireNoIssues(tokenSchema.safeParse(entry));
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

/** The file cannot have the secret itself: it names where it is. */
function makeS3Key({ name, allow, prefix, json }: TokenOptions, terminal: Terminal): void {
  // Ids and secrets of S3 have 20 and 40 characters. Some clients take no others.
  const bytes = [...Buffer.from(systemRandom.id(), "hex")];
  const accessKeyId = `WEIR${bytes.map((byte) => keyCharacters[byte % keyCharacters.length]).join("")}`;
  const secret = (systemRandom.id() + systemRandom.id()).slice(0, 40);
  const reference = `env:WEIR_S3_${name.toUpperCase().replace(/[^A-Z0-9]/g, "_")}`;
  const entry = { name, accessKeyId, secret: reference, allow, ...(prefix !== undefined && { prefix }) };
  requireNoIssues(s3KeySchema.safeParse(entry));
  if (json) {
    printJson(terminal, { accessKeyId, secret, entry });
    return;
  }
  const { stderr } = terminal;
  stderr.write(`The access key's id is ${accessKeyId}. Its secret, shown only this once:\n\n`);
  printLine(terminal, secret);
  stderr.write(`\nIts entry, for the list "s3Keys" of "auth" in cluster.json:\n\n  ${JSON.stringify(entry)}\n\n`);
  stderr.write(
    `Each node finds the secret where the entry says: ${reference.slice("env:".length)} in its environment; or write file:PATH.\n`,
  );
}

/** 32 of them, as S3's ids have. */
const keyCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function requireNoIssues({ error }: { readonly error?: { readonly issues: readonly z.core.$ZodIssue[] } }): void {
  const texts = (error?.issues ?? []).map(({ path, message }) => `--${path[0] as string}: ${message}`);
  if (texts.length > 0) throw new UsageError(texts.join("; "));
}

function parseRights(text: string): readonly Right[] {
  return text.split(",").map((each) => {
    const right = rights.find((known) => known === each.trim());
    if (right === undefined) throw new InvalidArgumentError(`It must be some of ${rights.join(", ")}.`);
    return right;
  });
}
