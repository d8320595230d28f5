/**
 * Lists uploads by their keys, and the parts of one by their numbers. Uploads have names by their ids. So a page of
 * them is a look at all of them, of which no more are kept at a time than the page may have. What a record says of its
 * upload's key never changes, so it is remembered.
 */

import type { Clock, Instant } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Operations } from "../../core/operation.ts";
import { maxParts } from "../../core/part-sizes.ts";
import type { OwnTurns } from "../../http/server/turns.ts";
import type { ClientUploads } from "./client-uploads.ts";
import { forEachOf, recordsAtOnce } from "./in-turn.ts";
import { ownNames } from "./own-names.ts";
import { beganMsOf, isId, numberIn, partName, partsOf, uploadsPrefix } from "./upload-names.ts";
import { type PartRecord, partSchema, type UploadRecord, type UploadRecords, uploadSchema } from "./upload-records.ts";

export interface ListedUpload {
  readonly id: string;
  readonly key: string;
  readonly checksum: UploadRecord["checksum"];
  /** Milliseconds since 1970. */
  readonly beganMs: number;
}

interface KnownUpload extends ListedUpload {
  /** See {@link orderOf}. */
  readonly order: string;
}

/** What a page lists: an upload, or the common prefix of several. */
interface Entry {
  /** Of the upload's key, or of the prefix. */
  readonly order: string;
  readonly upload: KnownUpload;
  readonly prefix: string | undefined;
}

export interface UploadQuery {
  /** Of keys. */
  readonly prefix: string;
  /** Empty: nothing is rolled up. */
  readonly delimiter: string;
  /** Lists only what comes after this key. */
  readonly keyMarker: string;
  /** With it: and of this key what has a greater id. */
  readonly idMarker: string;
  readonly limit: number;
}

export interface UploadPage {
  readonly uploads: readonly ListedUpload[];
  readonly prefixes: readonly string[];
  /** Where the next page begins. Undefined at the end. */
  readonly next: { readonly keyMarker: string; readonly idMarker: string } | undefined;
}

export interface NumberedPart {
  readonly number: number;
  readonly part: PartRecord;
}

/** How long a page may take. The next attempt gets further, since what was read is remembered. */
const maxPageMs = 10_000;
/** Uploads that are remembered: some MB. */
const maxRemembered = 20_000;
/** Names that are looked at in a turn of the event loop. */
const batchNames = 1_000;

export class UploadListing {
  readonly #operations: () => Operations;
  readonly #records: UploadRecords;
  readonly #isTooOld: (id: string) => boolean;
  readonly #clock: Clock;
  /** By id. */
  readonly #remembered = new Map<string, KnownUpload>();

  constructor(operations: () => Operations, uploads: Pick<ClientUploads, "isTooOld" | "records">, clock: Clock) {
    this.#operations = operations;
    this.#records = uploads.records;
    this.#isTooOld = (id) => uploads.isTooOld(id);
    this.#clock = clock;
  }

  /** @throws OperatingError as a listing, and `deadline_exceeded`. */
  async uploads(query: UploadQuery, turns: OwnTurns): Promise<UploadPage> {
    const { limit } = query;
    if (limit === 0) return { uploads: [], prefixes: [], next: undefined };
    // One more than are listed tells that there are more.
    let least: Entry[] = [];
    for await (const uploads of this.#all()) {
      await turns.next();
      least = leastOf([...least, ...uploads.flatMap((upload) => entryOf(upload, query) ?? [])], limit + 1);
    }
    const entries = least.slice(0, limit);
    const last = least.length > limit ? entries.at(-1) : undefined;
    return {
      uploads: entries.filter(({ prefix }) => prefix === undefined).map(({ upload }) => upload),
      prefixes: entries.flatMap(({ prefix }) => prefix ?? []),
      next: last && {
        keyMarker: last.prefix ?? last.upload.key,
        idMarker: last.prefix === undefined ? last.upload.id : "",
      },
    };
  }

  /**
   * The parts with greater numbers than `after`, up to the limit, and whether there are more.
   *
   * @throws OperatingError as a listing, and `deadline_exceeded`.
   */
  async parts(id: string, after: number, limit: number): Promise<{ parts: NumberedPart[]; hasMore: boolean }> {
    const giveUpAt = this.#clock.now() + maxPageMs;
    const names: string[] = [];
    // A client may say any number.
    if (limit > 0 && after < maxParts) {
      const from = after === 0 ? "" : partName(id, after);
      for await (const { key } of ownNames(this.#operations, partsOf(id), from)) {
        this.#requireTime(giveUpAt);
        names.push(key);
        if (names.length > limit) break;
      }
    }
    const found = await forEachOf(names.slice(0, limit), recordsAtOnce, async (name) => {
      const part = await this.#records.read(name, partSchema);
      return part && { number: numberIn(name), part: part.record };
    });
    return { parts: found.filter((part) => part !== undefined), hasMore: names.length > limit };
  }

  /** All that are under way, in batches, in no order. */
  async *#all(): AsyncGenerator<readonly KnownUpload[], void, void> {
    const giveUpAt = this.#clock.now() + maxPageMs;
    const listed = new Set<string>();
    let batch: string[] = [];
    const find = async (): Promise<KnownUpload[]> => {
      this.#requireTime(giveUpAt);
      const uploads = await forEachOf(batch, recordsAtOnce, (id) => this.#find(id));
      batch = [];
      return uploads.filter((upload) => upload !== undefined);
    };
    for await (const { key } of ownNames(this.#operations, uploadsPrefix)) {
      const id = key.slice(uploadsPrefix.length);
      if (!isId(id) || this.#isTooOld(id)) continue;
      listed.add(id);
      batch.push(id);
      if (batch.length === batchNames) yield await find();
    }
    yield await find();
    for (const id of this.#remembered.keys()) if (!listed.has(id)) this.#remembered.delete(id);
  }

  async #find(id: string): Promise<KnownUpload | undefined> {
    const remembered = this.#remembered.get(id);
    if (remembered !== undefined) return remembered;
    const found = await this.#records.read(uploadsPrefix + id, uploadSchema);
    if (found === undefined) return undefined;
    const { key, checksum } = found.record;
    const upload = { id, key, order: orderOf(key), checksum, beganMs: beganMsOf(id) };
    // Who is in keeps its place: else a listing of more than these would never find one that it remembers.
    if (this.#remembered.size < maxRemembered) this.#remembered.set(id, upload);
    return upload;
  }

  #requireTime(giveUpAt: Instant): void {
    if (this.#clock.now() < giveUpAt) return;
    throw new OperatingError("deadline_exceeded", "there are so many uploads that it took too long to look at them");
  }
}

const notAscii = /[^\0-\x7f]/;

/** A text whose order in JavaScript is that of the key's UTF-8. To compare it costs no more than its bytes. */
function orderOf(key: string): string {
  return notAscii.test(key) ? Buffer.from(key).toString("latin1") : key;
}

/** Undefined for an upload that is not wanted, or was listed on the page before under a common prefix. */
function entryOf(upload: KnownUpload, { prefix, delimiter, keyMarker, idMarker }: UploadQuery): Entry | undefined {
  const { key, id, order } = upload;
  const marker = orderOf(keyMarker);
  const isAfter = order > marker || (order === marker && idMarker !== "" && id > idMarker);
  if (!isAfter || !key.startsWith(prefix)) return undefined;
  const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
  if (at === -1) return { order, upload, prefix: undefined };
  const common = key.slice(0, at + delimiter.length);
  return common === keyMarker ? undefined : { order: orderOf(common), upload, prefix: common };
}

/** The first of these entries, each once. Keys with a common prefix are side by side in their order. */
function leastOf(entries: Entry[], count: number): Entry[] {
  entries.sort(compareEntries);
  return entries
    .filter(({ prefix }, index) => prefix === undefined || prefix !== entries[index - 1]?.prefix)
    .slice(0, count);
}

function compareEntries(a: Entry, b: Entry): number {
  if (a.order !== b.order) return a.order < b.order ? -1 : 1;
  return a.upload.id < b.upload.id ? -1 : 1;
}
