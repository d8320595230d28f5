/** `weir export`: values to files. */

import type { Command } from "commander";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import { quote } from "../../base/quantity-text.ts";
import { type ContentHeaders, contentNames } from "../../core/entry.ts";
import { reservedPrefix } from "../../core/keys.ts";
import { FolderCopy } from "../../store/folder/folder-copy.ts";
import { systemClock, systemRandom } from "../../system.ts";
import { type BulkClient, brokenBody } from "../client/bulk-client.ts";
import { type ClientAnswer, type ClusterClient, etagOf, keyPath } from "../client/client.ts";
import { type PageKey, pages } from "../client/listing.ts";
import { hasContentOf, isMd5 } from "../copy/content-tag.ts";
import { addCopyOptions, type Copy, type CopyItem, type CopyOptions, runCopy } from "../copy/copy-command.ts";
import type { Fate } from "../copy/transfer.ts";
import type { Terminal } from "../process/terminal.ts";

export function addExportCommand(program: Command, terminal: Terminal): void {
  addCopyOptions(program.command("export"))
    .summary("copy values to files")
    .description(
      "Copies every value whose key begins with the prefix to FOLDER, each to the file that the rest of its key names. What is there already, by size and ETag, is left alone, so a run that was cut short goes on. " +
        "Headers, and keys that are no file names, are kept in .weir/ there, in a folder store's layout, and weir import brings them back. Files of keys that are gone stay.",
    )
    .argument("<folder>", "made if there is none")
    .addHelpText(
      "after",
      "\nExamples:\n  weir export backup\n  weir export photos --prefix photos/ --config cluster.json",
    )
    .action(async (folder: string, options: CopyOptions) => {
      const files = new FolderCopy(folder, { clock: systemClock, random: systemRandom });
      await files.prepare();
      await runCopy(new Export(files, options.prefix), options, terminal);
    });
}

interface ExportItem extends CopyItem {
  readonly listed: PageKey;
}

class Export implements Copy<ExportItem> {
  readonly #files: FolderCopy;
  readonly #prefix: string;

  constructor(files: FolderCopy, prefix: string) {
    this.#files = files;
    this.#prefix = prefix;
  }

  async *items(cluster: BulkClient): AsyncGenerator<ExportItem> {
    for await (const { keys } of pages(cluster, { prefix: this.#prefix })) {
      for (const listed of keys) yield { name: listed.key, listed };
    }
  }

  async *sizes(cluster: BulkClient): AsyncGenerator<number> {
    for await (const { keys } of pages(cluster, { prefix: this.#prefix })) for (const { size } of keys) yield size;
  }

  async copy(cluster: BulkClient, { listed }: ExportItem): Promise<Fate> {
    const name = listed.key.slice(this.#prefix.length);
    if (name === "") throw new OperatingError("key_invalid", "the key is the prefix itself, which leaves no file name");
    if (name.startsWith(reservedPrefix)) {
      const reason = `without the prefix it is ${quote(name)}, and in the folder ${reservedPrefix} is weir's own: export it with a shorter prefix`;
      throw new OperatingError("key_invalid", reason);
    }
    if (await this.#isThere(name, listed)) return { kind: "same", bytes: listed.size };
    const before: { md5?: string } = {};
    try {
      return await cluster.persist((client) => this.#fetch(client, name, listed.key, before));
    } catch (error) {
      if (isOperatingError(error, "key_not_found")) return { kind: "gone" };
      throw error;
    }
  }

  async #isThere(name: string, { size, etag }: PageKey): Promise<boolean> {
    const file = await this.#files.find(name);
    if (file?.size !== size) return false;
    return file.etag === etag || (await hasContentOf(file.path, size, etag));
  }

  /** @param before The MD5 of the attempt before, if its content was not accepted. */
  async #fetch(client: ClusterClient, name: string, key: string, before: { md5?: string }): Promise<Fate> {
    const answer = await client.request({ method: "GET", path: keyPath(key) });
    const etag = etagOf(answer);
    const about = { headers: keptHeaders(answer), etag };
    const facts = await this.#files.put(name, received(answer.body), about, ({ size, md5 }) => {
      if (size !== Number(answer.headers["content-length"] ?? size)) throw brokenBody("it is too short");
      if (!isMd5(etag) || md5 === etag || md5 === before.md5) return;
      // If the store encrypts (by KMS, for example), its tags look like an MD5 but are none. Content that comes twice
      // is whole.
      before.md5 = md5;
      throw brokenBody("it is not what its ETag says");
    });
    return { kind: "copied", bytes: facts.size };
  }
}

async function* received(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } catch (cause) {
    throw brokenBody(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function isContentName(name: string): boolean {
  return (contentNames as readonly string[]).includes(name);
}

/** What a node answers where a value has no such header. */
const stands: Readonly<Record<string, string>> = {
  "content-type": "application/octet-stream",
  "cache-control": "no-cache",
};

function keptHeaders({ headers }: ClientAnswer): ContentHeaders {
  const kept = Object.entries(headers).filter(
    ([name, value]) => name.startsWith("x-weir-meta-") || (isContentName(name) && value !== stands[name]),
  );
  return Object.fromEntries(kept);
}
