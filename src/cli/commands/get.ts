/** `weir get`: a value to the standard output, or to a file, whole or not at all. */

import { open, realpath, rename, rm, stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Command } from "commander";
import { OperatingError } from "../../base/errors.ts";
import { systemRandom } from "../../system.ts";
import { type ClientAnswer, ClusterClient, etagOf, keyPath } from "../client/client.ts";
import { addTargetOptions, resolveTarget, type TargetOptions } from "../client/target.ts";
import { fileTrouble } from "../process/file-trouble.ts";
import { writeOut } from "../process/output.ts";
import { printJson, printLine, type Terminal } from "../process/terminal.ts";

interface GetOptions extends TargetOptions {
  readonly output?: string;
  readonly json?: boolean;
}

export function addGetCommand(program: Command, terminal: Terminal): void {
  addTargetOptions(program.command("get"))
    .summary("read a value")
    .description("Writes the value under KEY to the standard output, or to a file.")
    .argument("<key>", "the key, as it was stored")
    .option(
      "-o, --output <file>",
      "write it to this file, which is replaced only once the value is whole; - is the standard output",
    )
    .option("--json", "print what is known of the value as JSON; without -o, the value is in it as base64")
    .addHelpText("after", "\nExamples:\n  weir get greeting\n  weir get photos/1.jpg -o 1.jpg --config cluster.json")
    .action(async (key: string, options: GetOptions) => {
      await get(key, options, terminal);
    });
}

async function get(key: string, given: GetOptions, terminal: Terminal): Promise<void> {
  const { output, ...others } = given;
  const options: GetOptions = output === "-" ? others : given;
  await using client = new ClusterClient(resolveTarget(options, terminal.env));
  const answer = await client.request({ method: "GET", path: keyPath(key) });
  if (options.output !== undefined) {
    await writeFile(options.output, answer.body);
    if (options.json) printJson(terminal, describe(key, answer));
    else printLine(terminal, `${key} written to ${options.output}`);
  } else if (options.json) {
    printJson(terminal, { ...describe(key, answer), data: (await readWhole(answer.body)).toString("base64") });
  } else {
    await copyOut(answer.body, terminal);
  }
}

function describe(key: string, answer: ClientAnswer): Record<string, unknown> {
  const { headers } = answer;
  return {
    key,
    size: Number(headers["content-length"]),
    type: headers["content-type"],
    etag: etagOf(answer),
    version: headers["weir-version"],
    modified: headers["last-modified"],
    metadata: metadataIn(headers),
  };
}

/** By name. Values are UTF-8, as `weir put` sends them. */
function metadataIn(headers: ClientAnswer["headers"]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [header, value] of Object.entries(headers)) {
    const name = /^x-weir-meta-(.+)$/.exec(header)?.[1];
    if (name !== undefined) found[name] = Buffer.from(String(value), "latin1").toString();
  }
  return found;
}

async function readWhole(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of body) chunks.push(chunk as Buffer);
  } catch (error) {
    throw broken(error);
  }
  return Buffer.concat(chunks);
}

async function copyOut(body: Readable, terminal: Terminal): Promise<void> {
  try {
    await writeOut(body, terminal);
  } catch (error) {
    throw broken(error);
  }
}

async function writeFile(path: string, body: Readable): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  // A device or a pipe, such as /dev/null, is written to. A file must never take its place.
  if (there !== undefined && !there.isFile() && !there.isDirectory()) return await writeTo(path, path, body);
  // Replaces the target of a link, not the link.
  const place = there === undefined ? path : await realpath(path);
  // Of this process alone: another one may be writing the same file, and the name may be one of the user's.
  const partial = `${place}.${systemRandom.id().slice(0, 8)}.partial`;
  try {
    await writeTo(partial, path, body, "wx");
    await rename(partial, place).catch((error: unknown) => unwritable(path, error));
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** @param path The path as the user gave it. */
async function writeTo(place: string, path: string, body: Readable, flags: "w" | "wx" = "w"): Promise<void> {
  const handle = await open(place, flags).catch((error: unknown) => unwritable(path, error));
  await pipeline(body, handle.createWriteStream()).catch((error: unknown) => {
    // The disk is full or similar: the sender is not to blame.
    if ((error as NodeJS.ErrnoException).syscall === "write") unwritable(path, error);
    throw broken(error);
  });
}

function unwritable(path: string, cause: unknown): never {
  throw new OperatingError("config_invalid", `can't write ${path}: ${fileTrouble(cause)}`, { cause });
}

function broken(cause: unknown): OperatingError {
  return new OperatingError("peer_unreachable", `the value did not arrive whole: ${(cause as Error).message}`, {
    cause,
  });
}
