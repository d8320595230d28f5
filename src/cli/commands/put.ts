/** `weir put`: a file or the standard input, streamed to a key. */

import { open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { type Command, InvalidArgumentError, Option } from "commander";
import { OperatingError } from "../../base/errors.ts";
import { ClusterClient, etagOf, keyPath, readText } from "../client/client.ts";
import { resolveTarget } from "../client/target.ts";
import { typeOfName } from "../copy/content-type.ts";
import { fileTrouble } from "../process/file-trouble.ts";
import { printJson, printLine, type Terminal } from "../process/terminal.ts";
import { addWriteOptions, type WriteOptions, writeHeaders } from "./write-options.ts";

interface PutOptions extends WriteOptions {
  readonly type?: string;
  readonly meta?: Metadata;
  readonly ifNoneMatch?: boolean;
}

/** Headers by their names. */
type Metadata = Readonly<Record<string, string>>;

export function addPutCommand(program: Command, terminal: Terminal): void {
  addWriteOptions(program.command("put"))
    .summary("store a value")
    .description("Stores a file, or the standard input, under KEY. Done means that the cluster holds it safely.")
    .argument("<key>", "1 to 1024 bytes of UTF-8")
    .argument("[file]", "what to store; - is the standard input", "-")
    .option("--type <type>", 'its content type, such as image/png; "auto" goes by the file name (default: none)')
    .option("--meta <name=value>", "metadata to keep with it, as x-weir-meta-NAME; may be repeated", addMetadata)
    .addOption(new Option("--if-none-match", "only if there is no value yet").conflicts("ifMatch"))
    .addHelpText(
      "after",
      "\nExamples:\n  echo hello | weir put greeting\n  weir put photos/1.jpg 1.jpg --type auto --meta owner=ada --config cluster.json\n  echo mine | weir put lock --if-none-match",
    )
    .action(async (key: string, file: string, options: PutOptions) => {
      await put(key, file, options, terminal);
    });
}

async function put(key: string, file: string, options: PutOptions, terminal: Terminal): Promise<void> {
  if (file === "-" && terminal.stdin.isTTY)
    terminal.stderr.write("weir: reading the value from the terminal; Ctrl-D ends it\n");
  const body = file === "-" ? { stream: Readable.from(terminal.stdin), bytes: undefined } : await openFile(file);
  const type = options.type === "auto" ? typeOfName(file === "-" ? key : basename(file)) : options.type;
  await using client = new ClusterClient(resolveTarget(options, terminal.env));
  const answer = await client.request({
    method: "PUT",
    path: keyPath(key),
    headers: {
      ...(type !== undefined && { "content-type": type }),
      ...options.meta,
      ...(options.ifNoneMatch && { "if-none-match": "*" }),
      ...writeHeaders(options),
      ...(body.bytes !== undefined && { "content-length": String(body.bytes) }),
    },
    body: body.stream,
  });
  await readText(answer.body);
  const { "weir-version": version = "", "weir-durability": durability } = answer.headers;
  if (options.json) printJson(terminal, { key, etag: etagOf(answer), version, durability });
  else printLine(terminal, `${key} stored (version ${version})`);
}

/** Adds one. Its value goes as the bytes of its UTF-8, as curl sends it. */
function addMetadata(text: string, earlier: Metadata = {}): Metadata {
  const [, name, value = ""] = /^([a-z0-9._-]+)=(.*)$/is.exec(text) ?? [];
  if (name === undefined)
    throw new InvalidArgumentError("It must be NAME=VALUE, NAME of letters, digits, hyphens, dots and underscores.");
  const header = `x-weir-meta-${name.toLowerCase()}`;
  if (header in earlier) throw new InvalidArgumentError(`There is a value of ${name} already.`);
  return { ...earlier, [header]: Buffer.from(value).toString("latin1") };
}

async function openFile(path: string): Promise<{ stream: Readable; bytes: number }> {
  try {
    const info = await stat(path);
    if (!info.isFile()) throw new OperatingError("config_invalid", `${path} is not a file`);
    // Opened here, not by the stream: until a node has been found, nothing listens to the stream's errors.
    const handle = await open(path);
    return { stream: handle.createReadStream(), bytes: info.size };
  } catch (cause) {
    if (cause instanceof OperatingError) throw cause;
    throw new OperatingError("config_invalid", `can't read ${path}: ${fileTrouble(cause)}`, { cause });
  }
}
