/** `weir import`: files to values. */

import { open, stat } from "node:fs/promises";
import type { Command } from "commander";
import { OperatingError, UsageError } from "../../base/errors.ts";
import { type ContentHeaders, isOwnHeader } from "../../core/entry.ts";
import { isReserved, maxKeyBytes, reservedPrefix } from "../../core/keys.ts";
import { type CopiedFile, contentOf, FolderCopy } from "../../store/folder/folder-copy.ts";
import { systemClock, systemRandom } from "../../system.ts";
import type { BulkClient } from "../client/bulk-client.ts";
import { type ClusterClient, keyPath, readText } from "../client/client.ts";
import type { PageKey } from "../client/listing.ts";
import { hasContentOf } from "../copy/content-tag.ts";
import { typeOfName } from "../copy/content-type.ts";
import { addCopyOptions, type Copy, type CopyItem, type CopyOptions, runCopy } from "../copy/copy-command.ts";
import { RemoteIndex } from "../copy/remote-index.ts";
import type { Fate, Transfer } from "../copy/transfer.ts";
import { fileTrouble } from "../process/file-trouble.ts";
import type { Terminal } from "../process/terminal.ts";

interface ImportOptions extends CopyOptions {
  readonly type?: string;
}

export function addImportCommand(program: Command, terminal: Terminal): void {
  addCopyOptions(program.command("import"))
    .summary("copy files to values")
    .description(
      "Copies every file in FOLDER, and in the folders in it, to the key that its path names, behind the prefix. What the cluster has already, by size and ETag, is left alone, so a run that was cut short goes on. " +
        "What weir export kept beside its files is used. Links to folders are not followed, and what is no file (a pipe, a link to nothing) is passed over.",
    )
    .argument("<folder>")
    .option("--type <type>", 'content type of files of which none is known; "auto" goes by the name (default: none)')
    .addHelpText(
      "after",
      "\nExamples:\n  weir import backup\n  weir import photos --prefix photos/ --type auto --config cluster.json",
    )
    .action(async (folder: string, options: ImportOptions) => {
      if (isReserved(options.prefix)) throw new UsageError(`--prefix: ${reservedMistake}`);
      const files = new FolderCopy(folder, { clock: systemClock, random: systemRandom });
      await runCopy(new Import(files, options), options, terminal);
    });
}

const reservedMistake = `keys with ${reservedPrefix} in them are weir's own`;

/** A file that is written over while it is read is sent so often at most. */
const maxSends = 3;

interface ImportItem extends CopyItem {
  readonly key: string;
  readonly file: CopiedFile;
  /** What the cluster has, or had when it was listed. */
  readonly remote: PageKey | undefined;
}

class Import implements Copy<ImportItem> {
  readonly #files: FolderCopy;
  readonly #prefix: string;
  readonly #type: string | undefined;

  constructor(files: FolderCopy, { prefix, type }: ImportOptions) {
    this.#files = files;
    this.#prefix = prefix;
    this.#type = type;
  }

  async *items(cluster: BulkClient, transfer: Transfer): AsyncGenerator<ImportItem> {
    const index = new RemoteIndex(cluster, this.#prefix);
    const onUnreadable = (path: string, error: Error): void =>
      transfer.fail(path, `can't be read: ${fileTrouble(error)}`);
    for await (const file of this.#files.files(onUnreadable)) {
      // If the folder was a store, these files are weir's own.
      if (file.name.startsWith(reservedPrefix)) continue;
      const key = this.#prefix + file.name;
      const mistake = mistakeIn(key);
      if (mistake === undefined) yield { name: file.path, key, file, remote: await index.find(key) };
      else transfer.fail(file.path, mistake);
    }
  }

  async *sizes(): AsyncGenerator<number> {
    const files = this.#files.files(() => undefined);
    for await (const { name, size } of files) if (!name.startsWith(reservedPrefix)) yield size;
  }

  async copy(cluster: BulkClient, { key, file, remote }: ImportItem): Promise<Fate> {
    if (remote?.size === file.size && (await this.#isSame(file, remote.etag))) {
      return { kind: "same", bytes: file.size };
    }
    for (let sent = 0; sent < maxSends; sent++) {
      if (await cluster.persist((client) => this.#send(client, key, file))) return { kind: "copied", bytes: file.size };
    }
    throw new OperatingError(
      "body_invalid",
      `${file.path} is written over while it is read, so the value may be of two states of it: import it again when it rests`,
    );
  }

  async #isSame(file: CopiedFile, etag: string): Promise<boolean> {
    return file.etag === etag || (await readable(file, () => hasContentOf(file.path, file.size, etag)));
  }

  /** @returns whether the file has stayed as it was, but for what came behind its end. */
  async #send(client: ClusterClient, key: string, file: CopiedFile): Promise<boolean> {
    const type = this.#type === "auto" ? typeOfName(file.name) : this.#type;
    const { answer, hasRested } = await readable(file, async () => {
      // The file may have grown since it was found, or since the last attempt, and may grow while it is read.
      await using handle = await open(file.path);
      const { size, mtimeMs } = await handle.stat();
      const body = contentOf(handle, size);
      const broken = new Promise<never>((_, reject) => void body.once("error", reject));
      const headers = { ...(type !== undefined && { "content-type": type }), ...headersOf(file) };
      const request = { method: "PUT", path: keyPath(key), body } as const;
      const answer = await Promise.race([
        broken,
        client.request({ ...request, headers: { ...headers, "content-length": String(size) } }),
      ]);
      const now = await stat(file.path).catch((error: NodeJS.ErrnoException) => {
        // Removed while it was read: what was opened is still whole.
        if (error.code === "ENOENT") return handle.stat();
        throw error;
      });
      return { answer, hasRested: now.mtimeMs === mtimeMs || now.size > size };
    });
    await readText(answer.body);
    return hasRested;
  }
}

/** A file of a data folder may have what the S3 dialect keeps, and a node takes from that alone. */
function headersOf({ headers }: CopiedFile): ContentHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !isOwnHeader(name)));
}

/** Why a file cannot be a value. Undefined if it can. */
function mistakeIn(key: string): string | undefined {
  if (isReserved(key)) return reservedMistake;
  const bytes = Buffer.byteLength(key);
  return bytes > maxKeyBytes ? `its key would have ${bytes} bytes, more than ${maxKeyBytes}` : undefined;
}

/** The result of `read`. A file that cannot be read is a failure of this item, not a bug. */
async function readable<T>(file: CopiedFile, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof OperatingError) throw cause;
    throw new OperatingError("body_invalid", `${file.path} can't be read: ${fileTrouble(cause)}`, { cause });
  }
}
