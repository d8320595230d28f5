/**
 * Lists uploads by their keys, and the parts of one by their numbers. Uploads have names by their ids. So a page of
 * them is a look at all of them. What a record says of its upload's key never changes, so it is remembered.
 */

import type { Clock, Instant } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Operations } from "../../core/operation.ts";
import { maxParts } from "../../core/part-sizes.ts";
import type { OwnTurns } from "../../http/server/turns.ts";
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
/** Names that are looked at in a turn of the event loop, and steps of a page. */
const batchNames = 1_000;
const turnSteps = 128;

export class UploadListing {
  readonly #operations: () => Operations;
  readonly #records: UploadRecords;
  readonly #clock: Clock;
  /** By id. */
  readonly #remembered = new Map<string, KnownUpload>();

  constructor(operations: () => Operations, records: UploadRecords, clock: Clock) {
    this.#operations = operations;
    this.#records = records;
    this.#clock = clock;
  }

  /** @throws OperatingError as a listing, and `deadline_exceeded`. */
  async uploads(query: UploadQuery, turns: OwnTurns): Promise<UploadPage> {
    const { prefix, idMarker } = query;
    const marker = orderOf(query.keyMarker);
    const isWanted = ({ key, id, order }: KnownUpload): boolean =>
      key.startsWith(prefix) && (order > marker || (order === marker && idMarker !== "" && id > idMarker));
    return await pageOf(await this.#all(isWanted, turns), query, turns);
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

  /** Those that are wanted, in runs. Each run is in order. */
  async #all(isWanted: (upload: KnownUpload) => boolean, turns: OwnTurns): Promise<KnownUpload[][]> {
    const giveUpAt = this.#clock.now() + maxPageMs;
    const runs: KnownUpload[][] = [];
    const listed = new Set<string>();
    let batch: string[] = [];
    const take = async (): Promise<void> => {
      this.#requireTime(giveUpAt);
      const uploads = await forEachOf(batch, recordsAtOnce, (id) => this.#find(id));
      await turns.next();
      runs.push(
        uploads
          .filter((upload) => upload !== undefined)
          .filter(isWanted)
          .sort(compareUploads),
      );
      batch = [];
    };
    for await (const { key } of ownNames(this.#operations, uploadsPrefix)) {
      const id = key.slice(uploadsPrefix.length);
      if (!isId(id)) continue;
      listed.add(id);
      batch.push(id);
      if (batch.length === batchNames) await take();
    }
    await take();
    for (const id of this.#remembered.keys()) if (!listed.has(id)) this.#remembered.delete(id);
    return runs;
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

function compareUploads(a: KnownUpload, b: KnownUpload): number {
  if (a.order !== b.order) return a.order < b.order ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

/** @param runs All that come after the markers; each run is in order. */
async function pageOf(
  runs: readonly (readonly KnownUpload[])[],
  { prefix, delimiter, keyMarker, limit }: UploadQuery,
  turns: OwnTurns,
): Promise<UploadPage> {
  const uploads: ListedUpload[] = [];
  const prefixes: string[] = [];
  let next = { keyMarker, idMarker: "" };
  if (limit === 0) return { uploads, prefixes, next: undefined };
  const heads = runs.map((run) => ({ run, at: 0 })).filter(({ run }) => run.length > 0);
  for (let steps = 1; ; steps++) {
    if (steps % turnSteps === 0) await turns.next();
    const least = heads.reduce<Head | undefined>((best, head) => (isBefore(head, best) ? head : best), undefined);
    const upload = least?.run[least.at];
    if (least === undefined || upload === undefined) return { uploads, prefixes, next: undefined };
    const { key, id } = upload;
    const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    const common = at === -1 ? undefined : key.slice(0, at + delimiter.length);
    // It may have been listed: on this page, or on the one before, whose last entry it was.
    const isListed = common !== undefined && (common === prefixes.at(-1) || common === keyMarker);
    if (!isListed && uploads.length + prefixes.length === limit) return { uploads, prefixes, next };
    least.at++;
    if (isListed) continue;
    if (common === undefined) {
      uploads.push(upload);
      next = { keyMarker: key, idMarker: id };
    } else {
      prefixes.push(common);
      next = { keyMarker: common, idMarker: "" };
    }
  }
}

interface Head {
  readonly run: readonly KnownUpload[];
  at: number;
}

function isBefore({ run, at }: Head, best: Head | undefined): boolean {
  const upload = run[at];
  if (upload === undefined) return false;
  const other = best?.run[best.at];
  return other === undefined || compareUploads(upload, other) < 0;
}
