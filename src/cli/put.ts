/** `weir put`: a file or the standard input, streamed to a key. */

import { open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import type { Command } from "commander";
import { OperatingError } from "../base/errors.ts";
import { ClusterClient, etagOf, keyPath, readText } from "./client.ts";
import { typeOfName } from "./content-type.ts";
import { fileTrouble } from "./file-trouble.ts";
import { addTargetOptions, resolveTarget, type TargetOptions } from "./target.ts";
import { printJson, printLine, type Terminal } from "./terminal.ts";

interface PutOptions extends TargetOptions {
  readonly type?: string;
  readonly json?: boolean;
}

export function addPutCommand(program: Command, terminal: Terminal): void {
  addTargetOptions(program.command("put"))
    .summary("store a value")
    .description("Stores a file, or the standard input, under KEY. Done means that the cluster holds it safely.")
    .argument("<key>", "1 to 1024 bytes of UTF-8")
    .argument("[file]", "what to store; - is the standard input", "-")
    .option("--type <type>", 'its content type, such as image/png; "auto" goes by the file name (default: none)')
    .option("--json", "print the outcome as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  echo hello | weir put greeting\n  weir put photos/1.jpg 1.jpg --type auto --config cluster.json",
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
      ...(body.bytes !== undefined && { "content-length": String(body.bytes) }),
    },
    body: body.stream,
  });
  await readText(answer.body);
  const version = answer.headers["weir-version"] ?? "";
  if (options.json) printJson(terminal, { key, etag: etagOf(answer), version });
  else printLine(terminal, `${key} stored (version ${version})`);
}

async function openFile(path: string): Promise<{ stream: Readable; bytes: number }> {
  try {
    const info = await stat(path);
    if (!info.isFile()) throw new OperatingError("config_invalid", `${path} is not a file`);
    // Opened here, not by the stream: nobody listens to that before a node has been found.
    const handle = await open(path);
    return { stream: handle.createReadStream(), bytes: info.size };
  } catch (cause) {
    if (cause instanceof OperatingError) throw cause;
    throw new OperatingError("config_invalid", `can't read ${path}: ${fileTrouble(cause)}`, { cause });
  }
}
