/**
 * What the tests of deployment files and documents have in common: reading them, and judging the commands and
 * configurations in them by the program itself.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Option } from "commander";
import { hashToken, placeholderHash } from "../../src/access/token.ts";
import { createProgram } from "../../src/cli/program.ts";
import { type Config, parseConfig } from "../../src/config/config.ts";

export const root = join(import.meta.dirname, "..", "..");

/** The text of a file of the project. */
export function projectFile(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

export const projectVersion: string = (JSON.parse(projectFile("package.json")) as { version: string }).version;

/**
 * What is wrong with the arguments of `weir`, by the options and arguments that its commands declare; undefined if
 * nothing is.
 */
export function commandMistake(args: readonly string[]): string | undefined {
  const [name = "", ...rest] = args;
  const program = createProgram();
  if (name.startsWith("-")) {
    return program.options.some((option) => isFlagOf(option, name)) || ["--help", "-h"].includes(name)
      ? undefined
      : `weir has no option ${name}`;
  }
  const command = program.commands.find((each) => each.name() === name);
  if (command === undefined) return `weir has no command ${name}`;
  let operands = 0;
  for (let index = 0; index < rest.length; index++) {
    const arg = rest[index] as string;
    if (!/^-./.test(arg)) {
      operands++;
      continue;
    }
    if (arg === "--help" || arg === "-h") return undefined;
    const [flag = "", inline] = arg.split("=", 2);
    const option = command.options.find((each) => isFlagOf(each, flag));
    if (option === undefined) return `weir ${name} has no option ${flag}`;
    if (!option.isBoolean() && inline === undefined) {
      index++;
      if (rest[index] === undefined) return `weir ${name} ${flag} lacks its value`;
    }
  }
  for (const option of command.options) {
    if (option.mandatory && !rest.some((arg) => isFlagOf(option, arg.split("=")[0]))) {
      return `weir ${name} lacks ${option.flags}`;
    }
  }
  const declared = command.registeredArguments;
  const required = declared.filter(({ required: isRequired }) => isRequired).length;
  const isVariadic = declared.some(({ variadic }) => variadic);
  if (operands < required) return `weir ${name} lacks ${declared[operands]?.name()}`;
  if (operands > declared.length && !isVariadic) return `weir ${name} takes no more than ${declared.length} arguments`;
  return undefined;
}

function isFlagOf({ short, long }: Option, flag: string | undefined): boolean {
  return flag !== undefined && (flag === short || flag === long);
}

/**
 * Reads a cluster.json as a node does, with something in every file and variable that it names secrets by, and with a
 * token of its own in place of the example's.
 * @returns the configuration, and the paths of those files
 */
export function loadDeployed(text: string): { readonly config: Config; readonly secretPaths: readonly string[] } {
  const folder = mkdtempSync(join(tmpdir(), "weir-deployed-"));
  try {
    writeFileSync(join(folder, "secret"), "0123456789abcdef0123456789abcdef\n");
    const secretPaths = [...text.matchAll(/"file:([^"]+)"/g)].map((match) => match[1] as string);
    const names = [...text.matchAll(/"env:([^"]+)"/g)].map((match) => match[1] as string);
    const readable = text
      .replaceAll(/"file:[^"]+"/g, JSON.stringify(`file:${join(folder, "secret")}`))
      .replaceAll(placeholderHash, hashToken("a token of its own"));
    const config = parseConfig(readable, {
      fileName: "cluster.json",
      folder,
      env: Object.fromEntries(names.map((name) => [name, "0123456789abcdef"])),
      memoryBytes: 4 * 1024 ** 3,
      purpose: "member",
    });
    return { config, secretPaths };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Milliseconds that a node of this configuration may take from SIGTERM to its end. */
export function stopBoundMs({ flush, http }: Config): number {
  return http.drainMs + 2 * http.finishMs + flush.stopMs;
}
