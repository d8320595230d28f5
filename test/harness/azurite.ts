/**
 * Azure's emulator of its blob service for the tests that want one. It is installed the first time, in a folder of its
 * own and not as a dependency: with its 380 packages it is larger than everything else together, and only these tests
 * need it.
 */

import { execFile, spawn } from "node:child_process";
import { hash } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "./steps.ts";

const execute = promisify(execFile);

/** Which packages, exactly. */
const manifestFolder = join(root, "test", "harness", "azurite");
const manifest = ["package.json", "package-lock.json"] as const;

/** Goes with the other packages when they are installed anew. */
const folder = join(
  root,
  "node_modules",
  ".cache",
  `azurite-${hash("sha256", readFileSync(join(manifestFolder, manifest[1]))).slice(0, 12)}`,
);

/** Milliseconds to start, which takes one second on an idle machine. */
const startMs = 60_000;

const program = join(folder, "node_modules", "azurite", "dist", "src", "blob", "main.js");

/** As every client of the emulator knows them. */
const account = "devstoreaccount1";
const key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

export interface Azurite extends Disposable {
  /** What the tests are told, by the environment. */
  readonly env: Readonly<Record<string, string>>;
}

export interface AzuriteOptions {
  /**
   * Files of a certificate for 127.0.0.1 and its key: then it is served over TLS, and tokens are taken, whoever has
   * signed them.
   */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** Starts one in memory, on a free port, or says why there can be none here. It stops when it's disposed of. */
export async function startAzurite({ tls }: AzuriteOptions = {}): Promise<Azurite | { readonly missing: string }> {
  const missing = await install();
  if (missing !== undefined) return { missing };
  const args = [
    "--blobHost",
    "127.0.0.1",
    "--blobPort",
    "0",
    "--inMemoryPersistence",
    "--silent",
    "--disableTelemetry",
  ];
  // Azure's own client, which tests compare with, is often a version ahead.
  args.push("--skipApiVersionCheck");
  if (tls !== undefined) args.push("--oauth", "basic", "--cert", tls.cert, "--key", tls.key);
  // It is a Node program: it runs by this one.
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const stop = (): void => {
    process.off("exit", stop);
    child.kill("SIGKILL");
  };
  process.on("exit", stop);
  let output = "";
  child.stdout.setEncoding("utf8");
  const endpoint = await new Promise<string | undefined>((resolve) => {
    child.stdout.on("data", (chunk: string) => {
      output += chunk;
      const url = /listens on (https?:\/\/\S+)/.exec(output)?.[1];
      if (url !== undefined) resolve(url);
    });
    void once(child, "exit").then(() => resolve(undefined));
    setTimeout(() => resolve(undefined), startMs).unref();
  });
  if (endpoint === undefined) {
    stop();
    return { missing: `it did not start:\n${output}` };
  }
  return {
    env: {
      WEIR_TEST_AZURE_ENDPOINT: `${endpoint}/${account}`,
      WEIR_TEST_AZURE_ACCOUNT: account,
      WEIR_TEST_AZURE_KEY: key,
    },
    [Symbol.dispose]: stop,
  };
}

/** Returns why it can't be installed. */
async function install(): Promise<string | undefined> {
  if (existsSync(program)) return undefined;
  process.stdout.write("installing Azure's emulator (once)\n");
  const unfinished = `${folder}-${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    for (const file of manifest) copyFileSync(join(manifestFolder, file), join(unfinished, file));
    // Nothing of it runs while it is installed.
    const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    const failure = await execute("npm", args, { cwd: unfinished }).then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (failure !== undefined) return `npm can't install it: ${failure}`;
    if (!existsSync(folder)) renameSync(unfinished, folder);
    return undefined;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}
