/**
 * Lists uploads by their keys, and the parts of one by their numbers. Uploads have names by their ids. So a page of
 * them is a look at all of them. What a record says of its upload's key never changes, so it is remembered.
 */

import type { Clock, Instant } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { compareText } from "../../base/text-order.ts";
import type { Operations } from "../../core/operation.ts";
import { forEachOf, recordsAtOnce } from "./in-turn.ts";
import { ownNames } from "./own-names.ts";
import { beganMsOf, isId, maxPartNumber, numberIn, partName, partsOf, uploadsPrefix } from "./upload-names.ts";
import { type PartRecord, partSchema, type UploadRecord, type UploadRecords, uploadSchema } from "./upload-records.ts";

export interface ListedUpload {
  readonly id: string;
  readonly key: string;
  readonly checksum: UploadRecord["checksum"];
  /** Milliseconds since 1970. */
  readonly beganMs: number;
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
/** Names that are looked at between two looks at the time. */
const batchNames = 1_000;

export class UploadListing {
  readonly #operations: () => Operations;
  readonly #records: UploadRecords;
  readonly #clock: Clock;
  /** By id. Those looked at first come first. */
  readonly #remembered = new Map<string, ListedUpload>();

  constructor(operations: () => Operations, records: UploadRecords, clock: Clock) {
    this.#operations = operations;
    this.#records = records;
    this.#clock = clock;
  }

  /** @throws OperatingError as a listing, and `deadline_exceeded`. */
  async uploads(query: UploadQuery): Promise<UploadPage> {
    const { prefix, keyMarker, idMarker } = query;
    const all = await this.#all((key) => key.startsWith(prefix));
    const after = all.filter(({ key, id }) => {
      const order = compareText(key, keyMarker);
      return order > 0 || (order === 0 && idMarker !== "" && id > idMarker);
    });
    after.sort((a, b) => compareText(a.key, b.key) || compareText(a.id, b.id));
    return pageOf(after, query);
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
    if (limit > 0 && after < maxPartNumber) {
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

  async #all(isWanted: (key: string) => boolean): Promise<ListedUpload[]> {
    const giveUpAt = this.#clock.now() + maxPageMs;
    const found: ListedUpload[] = [];
    let batch: string[] = [];
    const take = async (): Promise<void> => {
      this.#requireTime(giveUpAt);
      const uploads = await forEachOf(batch, recordsAtOnce, (id) => this.#find(id));
      found.push(...uploads.filter((upload) => upload !== undefined).filter(({ key }) => isWanted(key)));
      batch = [];
    };
    for await (const { key } of ownNames(this.#operations, uploadsPrefix)) {
      const id = key.slice(uploadsPrefix.length);
      if (isId(id)) batch.push(id);
      if (batch.length === batchNames) await take();
    }
    await take();
    return found;
  }

  async #find(id: string): Promise<ListedUpload | undefined> {
    const remembered = this.#remembered.get(id);
    if (remembered !== undefined) return remembered;
    const found = await this.#records.read(uploadsPrefix + id, uploadSchema);
    if (found === undefined) return undefined;
    const { key, checksum } = found.record;
    const upload = { id, key, checksum, beganMs: beganMsOf(id) };
    const [oldest] = this.#remembered.keys();
    if (oldest !== undefined && this.#remembered.size >= maxRemembered) this.#remembered.delete(oldest);
    this.#remembered.set(id, upload);
    return upload;
  }

  #requireTime(giveUpAt: Instant): void {
    if (this.#clock.now() < giveUpAt) return;
    throw new OperatingError("deadline_exceeded", "there are so many uploads that it took too long to look at them");
  }
}

/** @param sorted All that come after the markers. */
function pageOf(sorted: readonly ListedUpload[], { prefix, delimiter, keyMarker, limit }: UploadQuery): UploadPage {
  const uploads: ListedUpload[] = [];
  const prefixes: string[] = [];
  let next = { keyMarker, idMarker: "" };
  if (limit === 0) return { uploads, prefixes, next: undefined };
  for (const upload of sorted) {
    const { key, id } = upload;
    const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    const common = at === -1 ? undefined : key.slice(0, at + delimiter.length);
    // It was listed: on this page, or on the one before, whose last entry it was.
    if (common !== undefined && (common === prefixes.at(-1) || common === keyMarker)) continue;
    if (uploads.length + prefixes.length === limit) return { uploads, prefixes, next };
    if (common === undefined) {
      uploads.push(upload);
      next = { keyMarker: key, idMarker: id };
    } else {
      prefixes.push(common);
      next = { keyMarker: common, idMarker: "" };
    }
  }
  return { uploads, prefixes, next: undefined };
}
