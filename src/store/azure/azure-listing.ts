/**
 * Listings of a container. Names lie there in two sorted sequences: as they are, and aside (`azure-names.ts`). Each
 * sequence is read in Azure's pages from the query's position on. The listing merges the two up to the point that both
 * have reached.
 *
 * A position is `startFrom`, the entry from which the server lists. A server that is too old for it lists from the
 * beginning. Entries up to the position are left out here, so that costs time and nothing else.
 */

import { parseXML } from "@aws-sdk/xml-builder";
import { z } from "zod";
import type { Clock } from "../../base/clock.ts";
import { OperatingError } from "../../base/errors.ts";
import { compareText } from "../../base/text-order.ts";
import { entryOf, isCommonPrefix, type ListQuery } from "../../core/listing.ts";
import type { ListedBlob, ListPage, RequestOptions } from "../blob-store.ts";
import { encodeQuery } from "../http/percent-encoding.ts";
import { unquoted } from "../http/wire-headers.ts";
import { listOf } from "../http/xml.ts";
import type { AzureClient } from "./azure-client.ts";
import { failureError, readFailure } from "./azure-errors.ts";
import { asideFolder, heldBeginning, hiddenFolder, isHeld, spell, spellBeginning, unspell } from "./azure-names.ts";

/** 1,001 names of 1,024 characters take 3 MB. What is said of each takes 1.5 MB in all. */
const maxListBytes = 16 * 1024 * 1024;

/** The first version of the service that knows `startFrom`. */
const listVersion = "2026-02-06";

/** Sorts after every character of a name that lies as it is. */
const last = "\uFFFD";

/** An empty element is parsed as an empty text. */
function contentOf<T extends z.ZodType>(content: T) {
  return z.union([z.literal(""), content]).transform((found) => (found === "" ? undefined : (found as z.output<T>)));
}

const documentSchema = z.object({
  EnumerationResults: z.object({
    Blobs: contentOf(
      z.object({
        Blob: listOf(
          z.object({
            // With an attribute, it is a name that XML cannot hold. It is none of ours.
            Name: z.union([z.string(), z.looseObject({})]),
            Properties: z.object({
              "Last-Modified": z.string(),
              Etag: z.string(),
              "Content-Length": z.string(),
              "Content-MD5": z.string().optional(),
            }),
            Metadata: contentOf(z.record(z.string(), z.string())).optional(),
          }),
        ),
        BlobPrefix: listOf(z.object({ Name: z.union([z.string(), z.looseObject({})]) })),
      }),
    ),
    NextMarker: z.string(),
  }),
});

type Document = z.output<typeof documentSchema>["EnumerationResults"];

export interface RawBlob extends Omit<ListedBlob, "name"> {
  /** The blob's name in the container. */
  readonly blob: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** One of Azure's pages. */
interface RawPage {
  readonly blobs: readonly RawBlob[];
  readonly prefixes: readonly string[];
  /** Empty at the end. */
  readonly marker: string;
}

interface RawQuery {
  readonly prefix: string;
  readonly startFrom?: string;
  readonly delimiter?: string;
  readonly limit: number;
  readonly marker?: string;
  readonly withMetadata?: boolean;
}

/** What one of the two sequences has for a query. */
interface Part {
  readonly blobs: readonly ListedBlob[];
  readonly prefixes: readonly string[];
  /** This part leaves out nothing up to here. Undefined if it leaves out nothing at all. */
  readonly end: string | undefined;
}

const nothing: Part = { blobs: [], prefixes: [], end: undefined };

export class AzureListing {
  readonly #client: AzureClient;
  readonly #clock: Clock;
  readonly #container: string;
  readonly #prefix: string;

  constructor(client: AzureClient, clock: Clock, container: string, prefix: string) {
    this.#client = client;
    this.#clock = clock;
    this.#container = container;
    this.#prefix = prefix;
  }

  async list(query: ListQuery, options: RequestOptions): Promise<ListPage> {
    const deadline = this.#clock.now() + options.deadlineMs;
    const authorize = once(options.authorize);
    const left = (): RequestOptions => ({ authorize, deadlineMs: deadline - this.#clock.now() });
    for (let current = query; ; ) {
      const [plain, aside] = await Promise.all([this.#plain(current, left()), this.#aside(current, left())]);
      const page = merge(plain, aside, query.limit);
      if (page.next === undefined || page.blobs.length + page.prefixes.length > 0) return page;
      // Nothing up to there was for the caller.
      current = { ...query, after: page.next };
    }
  }

  /** The names that lie as they are. */
  async #plain(query: ListQuery, options: RequestOptions): Promise<Part> {
    const { prefix, after, delimiter } = query;
    if (heldBeginning(prefix) !== prefix) return nothing;
    // Not every server rolls up by a delimiter of several characters.
    const isRolledUp = delimiter.length === 1 && heldBeginning(delimiter) === delimiter;
    const position = positionOf(query, last, isRolledUp);
    if (position === undefined) return nothing;
    const nameOf = (blob: string): string => blob.slice(this.#prefix.length);
    const endOf = ({ blobs, prefixes }: RawPage): string =>
      [nameOf(blobs.at(-1)?.blob ?? ""), nameOf(prefixes.at(-1) ?? "")].sort(compareText)[1] as string;
    const page = await this.#firstPage(
      {
        prefix: this.#prefix + prefix,
        startFrom: position === "" ? "" : this.#prefix + heldBeginning(position),
        delimiter: isRolledUp ? delimiter : "",
        limit: query.limit + 1,
      },
      (found) => compareText(endOf(found), after) > 0,
      options,
    );
    const shown = page.blobs
      .map((each) => ({ ...each, name: nameOf(each.blob) }))
      .filter(({ blob, name }) => isHeld(blob) && !name.startsWith(hiddenFolder));
    const part = rollUp(shown, query);
    const prefixes = [];
    for (const entry of page.prefixes.map(nameOf)) {
      if (heldBeginning(entry) !== entry || entryOf(entry, query) === undefined) continue;
      if (!hiddenFolder.startsWith(entry) || (await this.#showsSome(entry, options))) prefixes.push(entry);
    }
    const end = endOf(page);
    return {
      blobs: part.blobs,
      prefixes: [...part.prefixes, ...prefixes],
      end: page.marker === "" ? undefined : end.startsWith(hiddenFolder) ? hiddenFolder + last : end,
    };
  }

  /** Whether a name that is not hidden begins with `beginning`. */
  async #showsSome(beginning: string, options: RequestOptions): Promise<boolean> {
    for (let position: string | undefined = ""; position !== undefined; ) {
      const part: Part = await this.#plain({ prefix: beginning, after: position, delimiter: "", limit: 1 }, options);
      if (part.blobs.length > 0) return true;
      position = part.end;
    }
    return false;
  }

  /** The names that lie aside, spelled in the code. */
  async #aside(query: ListQuery, options: RequestOptions): Promise<Part> {
    const position = positionOf(query, "\u{10FFFF}", false);
    if (position === undefined) return nothing;
    const folder = this.#prefix + asideFolder;
    const namesOf = ({ blobs }: RawPage) =>
      blobs.flatMap((each) => {
        // A blob that spells no name of ours is left out.
        const name = unspell(each.blob.slice(folder.length));
        return name === undefined ? [] : [{ ...each, name }];
      });
    const page = await this.#firstPage(
      {
        prefix: folder + spellBeginning(query.prefix),
        startFrom: position === "" ? "" : folder + spell(position),
        limit: query.limit + 1,
      },
      (found) => compareText(namesOf(found).at(-1)?.name ?? "", query.after) > 0,
      options,
    );
    const names = namesOf(page);
    return { ...rollUp(names, query), end: page.marker === "" ? undefined : names.at(-1)?.name };
  }

  /** The first page that goes beyond the position, or the last page. */
  async #firstPage(query: RawQuery, isBeyond: (page: RawPage) => boolean, options: RequestOptions): Promise<RawPage> {
    let page = await this.#page(query, options);
    while (page.marker !== "" && !isBeyond(page)) page = await this.#page({ ...query, marker: page.marker }, options);
    return page;
  }

  /** All blobs under a folder, with their metadata. */
  async all(folder: string, options: RequestOptions): Promise<RawBlob[]> {
    const found: RawBlob[] = [];
    const query = { prefix: this.#prefix + folder, limit: 1_000, withMetadata: true };
    for (let marker = ""; ; ) {
      const page = await this.#page({ ...query, marker }, options);
      found.push(...page.blobs);
      marker = page.marker;
      if (marker === "") return found;
    }
  }

  async #page(query: RawQuery, options: RequestOptions): Promise<RawPage> {
    const { prefix, limit, startFrom = "", delimiter = "", marker = "", withMetadata = false } = query;
    const parameters = { prefix, maxresults: String(limit), startFrom, delimiter, marker };
    const given = Object.entries({ ...parameters, include: withMetadata ? "metadata" : "" }).filter(
      ([, value]) => value,
    );
    const answer = await this.#client.send(
      {
        method: "GET",
        permission: "l",
        query: `restype=container&comp=list&${given.map(([name, value]) => `${name}=${encodeQuery(value)}`).join("&")}`,
        headers: { "x-ms-version": listVersion },
        maxBodyBytes: maxListBytes,
      },
      options,
    );
    if (answer.status !== 200) throw failureError(readFailure(answer), "listing the blobs", this.#container);
    const { Blobs, NextMarker } = readDocument(answer.body);
    const blobs: RawBlob[] = [];
    for (const { Name, Properties, Metadata } of Blobs?.Blob ?? []) {
      if (typeof Name !== "string") continue;
      const md5 = Buffer.from(Properties["Content-MD5"] ?? "", "base64").toString("hex");
      blobs.push({
        blob: Name,
        size: Number(Properties["Content-Length"]),
        tag: unquoted(Properties.Etag),
        md5: md5.length === 32 ? md5 : undefined,
        modifiedMs: Date.parse(Properties["Last-Modified"]) || 0,
        metadata: Metadata ?? {},
      });
    }
    const prefixes = (Blobs?.BlobPrefix ?? []).map(({ Name }) => Name).filter((name) => typeof name === "string");
    return { blobs, prefixes, marker: NextMarker };
  }
}

/**
 * Where to begin for the entries after the query's position. `""` is the beginning. Undefined if there are none. The
 * result is within the query's prefix. It is an entry if the server rolls up.
 *
 * @param end Sorts after everything that may follow in a name.
 */
function positionOf(query: ListQuery, end: string, isRolledUp: boolean): string | undefined {
  const { prefix, after, delimiter } = query;
  if (after === "" || !after.startsWith(prefix)) return after !== "" && compareText(after, prefix) > 0 ? undefined : "";
  if (!isCommonPrefix(after, query)) return after;
  return isRolledUp ? after.slice(0, after.indexOf(delimiter, prefix.length) + delimiter.length) : after + end;
}

function rollUp(blobs: readonly (RawBlob & { readonly name: string })[], query: ListQuery): Omit<Part, "end"> {
  const prefixes: string[] = [];
  const found: ListedBlob[] = [];
  for (const { blob: _blob, metadata: _metadata, ...each } of blobs) {
    const entry = entryOf(each.name, query);
    if (entry === undefined) continue;
    if (entry === each.name && !isCommonPrefix(entry, query)) found.push(each);
    else if (prefixes.at(-1) !== entry) prefixes.push(entry);
  }
  return { blobs: found, prefixes };
}

/** The entries of both parts, up to the point that both have reached. */
function merge(one: Part, other: Part, limit: number): ListPage {
  const ends = [one.end, other.end].filter((end) => end !== undefined).sort(compareText);
  const end = ends[0];
  const isWithin = (name: string): boolean => end === undefined || compareText(name, end) <= 0;
  const prefixes = unique([...one.prefixes, ...other.prefixes]).filter(isWithin);
  const blobs = [...one.blobs, ...other.blobs].filter(({ name }) => isWithin(name));
  const names = [...prefixes, ...blobs.map(({ name }) => name)].sort(compareText);
  if (names.length <= limit && end === undefined) {
    return { blobs: blobs.sort((a, b) => compareText(a.name, b.name)), prefixes, next: undefined };
  }
  const next = names[Math.min(limit, names.length) - 1] ?? (end as string);
  return {
    blobs: blobs.filter(({ name }) => compareText(name, next) <= 0).sort((a, b) => compareText(a.name, b.name)),
    prefixes: prefixes.filter((name) => compareText(name, next) <= 0),
    next,
  };
}

/** One permission for several requests. The first request asks, and the answer holds for all. */
function once(authorize: (() => void) | undefined): () => void {
  let answer: { readonly refusal: unknown } | "granted" | undefined;
  return () => {
    if (answer === undefined) {
      try {
        authorize?.();
        answer = "granted";
      } catch (refusal) {
        answer = { refusal };
      }
    }
    if (answer !== "granted") throw answer.refusal;
  };
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].sort(compareText);
}

/**
 * @throws OperatingError `store_unavailable` when the answer is no such document. It may have been cut, or come from a
 * proxy.
 */
function readDocument(body: Buffer | undefined): Document {
  try {
    return documentSchema.parse(parseXML(body?.toString() ?? "")).EnumerationResults;
  } catch (cause) {
    throw new OperatingError("store_unavailable", "the store's answer is not a list of blobs", { cause });
  }
}
