/**
 * A server of S3 that npm has, with one bucket. `npm-s3-server.ts NAME FOLDER DATA BUCKET` prints its address. FOLDER
 * has the package in its `node_modules`. DATA is a folder for objects.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ownPorts } from "../own-ports.ts";

type Options = Readonly<Record<string, unknown>>;

interface Imported {
  readonly default: new (options: Options) => { run(): Promise<unknown> };
  startFauxqs(this: void, options: Options): Promise<{ createBucket(name: string): void }>;
}

const [name, folder, directory, bucket] = process.argv.slice(2) as [string, string, string, string];
const [port] = (await ownPorts(1)) as [number];
const host = "127.0.0.1";

const packageFolder = join(folder, "node_modules", name);
const { main } = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as { readonly main: string };
const imported = (await import(pathToFileURL(join(packageFolder, main)).href)) as Imported;
switch (name) {
  case "@20minutes/s3rver": {
    const options = { address: host, port, silent: true, directory, configureBuckets: [{ name: bucket }] };
    await new imported.default(options).run();
    break;
  }
  case "fauxqs":
    (await imported.startFauxqs({ host, port, logger: false })).createBucket(bucket);
    break;
  default:
    throw new Error(`${name} is not known here`);
}
console.log(`http://${host}:${port}`);
