/**
 * Buckets: names for parts of the one key space. The configuration names some. Where it says so, clients create others.
 * A created bucket `NAME` is the keys that begin with `NAME/`.
 *
 * Which buckets were created is one value of weir's own, written like any other value and on the condition that it is
 * still what was read. So a bucket is created and removed at one moment for the whole cluster.
 */

import { hash } from "node:crypto";
import { z } from "zod";
import type { Clock } from "../base/clock.ts";
import { OperatingError } from "../base/errors.ts";
import { compact } from "../base/memory.ts";
import { noHeaders } from "../core/entry.ts";
import { isReserved, reservedPrefix } from "../core/keys.ts";
import type { Operations } from "../core/operation.ts";
import { S3Error } from "./words/s3-error.ts";

export interface BucketRule {
  readonly name: string;
  /** The bucket is the keys that begin with this. */
  readonly prefix: string;
}

export interface S3Rules {
  readonly buckets: readonly BucketRule[];
  /** Whether clients may create buckets. Without it only `buckets` exist. */
  readonly createBuckets: boolean;
  /** The bucket NAME may be called as the host NAME.DOMAIN. */
  readonly domain: string | undefined;
}

export interface Bucket extends BucketRule {
  /** Milliseconds since 1970. 0 for one that the configuration names. */
  readonly createdMs: number;
}

/** What a host's name says. */
export interface NamedHost {
  /** It is the domain of the buckets, or one below it. */
  readonly isOwn: boolean;
  readonly bucket: string | undefined;
}

/** The key of the value that lists created buckets. No client reaches it. */
export const bucketsKey = `${reservedPrefix}s3-buckets.json`;

/** Created buckets, at most: their list is one value, and is read for each request to one of them. */
const maxCreated = 1_000;

/** How often a change of the list is tried anew because somebody else has changed it meanwhile. */
const maxAttempts = 16;

/** How long it may take to find out whether a bucket has keys. */
const maxLookMs = 5_000;

const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
/** Not in names of hosts either. */
const misplaced = /\.\.|\.-|-\./;
const address = /^\d+\.\d+\.\d+\.\d+$/;

const listSchema = z.strictObject({ buckets: z.array(z.strictObject({ name: z.string(), createdMs: z.number() })) });
type CreatedBucket = z.infer<typeof listSchema>["buckets"][number];

interface BucketList {
  readonly buckets: readonly CreatedBucket[];
  /** Of the value. Undefined before there is one. */
  readonly tag: string | undefined;
}

const unnamed: NamedHost = Object.freeze({ isOwn: false, bucket: undefined });

export class Buckets {
  readonly #operations: () => Operations;
  readonly #clock: Clock;
  #rules: S3Rules;
  #named: ReadonlyMap<string, Bucket>;
  /** The one of them that was found last. A look at the map costs ten times as much. */
  #last: Bucket | undefined;
  /** The list that was read last: it seldom changes. */
  #parsed: BucketList | undefined;

  constructor(operations: () => Operations, clock: Clock, rules: S3Rules) {
    this.#operations = operations;
    this.#clock = clock;
    this.#rules = rules;
    this.#named = namedIn(rules);
  }

  /** Sets the rules that count from the next request on. */
  setRules(rules: S3Rules): void {
    this.#rules = rules;
    this.#named = namedIn(rules);
    this.#last = undefined;
  }

  /** @param host The header's value. */
  hostNamed(host: string | undefined): NamedHost {
    const { domain } = this.#rules;
    if (domain === undefined || host === undefined) return unnamed;
    const name = host.toLowerCase().replace(/:\d*$/, "");
    if (name === domain) return { isOwn: true, bucket: undefined };
    return name.endsWith(`.${domain}`) ? { isOwn: true, bucket: name.slice(0, -domain.length - 1) } : unnamed;
  }

  /**
   * The bucket of this name. At once where the configuration names it.
   *
   * @throws S3Error `NoSuchBucket`.
   */
  find(name: string): Bucket | Promise<Bucket> {
    if (this.#last?.name === name) return this.#last;
    const named = this.#named.get(name);
    if (named !== undefined) {
      this.#last = named;
      return named;
    }
    if (!this.#rules.createBuckets || !bucketName.test(name)) throw noSuchBucket();
    return this.#findCreated(name);
  }

  async list(): Promise<Bucket[]> {
    const created = this.#rules.createBuckets ? (await this.#read()).buckets : [];
    const others = created.filter(({ name }) => !this.#named.has(name)).map(bucketOf);
    return [...this.#named.values(), ...others].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Creates a bucket.
   *
   * @throws S3Error `AccessDenied`, `BucketAlreadyOwnedByYou`, `InvalidBucketName`, `TooManyBuckets`.
   */
  async create(name: string, authorize: (prefix: string) => void): Promise<void> {
    if (!bucketName.test(name) || misplaced.test(name) || address.test(name)) {
      throw new S3Error(
        "InvalidBucketName",
        "a bucket's name has 3 to 63 of a-z, 0-9, - and ., with a letter or digit on both sides of each dot",
      );
    }
    if (isReserved(prefixOf(name))) throw new S3Error("InvalidBucketName", "its keys would be weir's own");
    if (this.#named.has(name)) throw alreadyThere();
    if (!this.#rules.createBuckets) {
      throw new S3Error(
        "AccessDenied",
        "clients create no buckets here: s3.buckets names them, or s3.createBuckets lets clients do so",
      );
    }
    authorize(prefixOf(name));
    await this.#change((buckets) => {
      if (buckets.some((each) => each.name === name)) throw alreadyThere();
      if (buckets.length >= maxCreated) throw new S3Error("TooManyBuckets", `there are ${maxCreated} buckets already`);
      return [...buckets, { name, createdMs: this.#clock.wallMs() }];
    });
  }

  /**
   * Removes a bucket that has no keys. One who puts a key at the same moment may find the bucket gone afterwards: the
   * key is kept, and is in the bucket once it is created again.
   *
   * @throws S3Error `AccessDenied`, `BucketNotEmpty`, `NoSuchBucket`.
   */
  async remove(name: string, authorize: (prefix: string) => void): Promise<void> {
    const { prefix, createdMs } = await this.find(name);
    if (createdMs === 0)
      throw new S3Error("AccessDenied", "this bucket is one of the configuration's: remove it there");
    authorize(prefix);
    if (await this.#hasKeys(prefix)) throw new S3Error("BucketNotEmpty", "the bucket has keys in it");
    await this.#change((buckets) => {
      if (!buckets.some((each) => each.name === name)) throw noSuchBucket();
      return buckets.filter((each) => each.name !== name);
    });
  }

  async #hasKeys(prefix: string): Promise<boolean> {
    // The key that is the prefix itself is none of the bucket's.
    let after: string | undefined = prefix;
    const giveUpAt = this.#clock.now() + maxLookMs;
    while (after !== undefined) {
      if (this.#clock.now() >= giveUpAt)
        throw new OperatingError("deadline_exceeded", "it took too long to look for keys");
      const page = await this.#operations().list({ prefix, after, delimiter: "", limit: 1 });
      if (page.keys.length > 0) return true;
      after = page.next;
    }
    return false;
  }

  async #findCreated(name: string): Promise<Bucket> {
    const found = (await this.#read()).buckets.find((each) => each.name === name);
    if (found === undefined) throw noSuchBucket();
    return bucketOf(found);
  }

  /** The list, and its tag. Both are of nothing before the first bucket was created. */
  async #read(): Promise<BucketList> {
    const outcome = await this.#operations().read(bucketsKey, true);
    if (outcome.kind === "missing") return { buckets: [], tag: undefined };
    if (outcome.kind === "value" && outcome.value !== undefined) {
      const tag = outcome.info.md5;
      if (this.#parsed?.tag === tag) return this.#parsed;
      const buckets = parseList(outcome.value);
      if (buckets !== undefined) {
        this.#parsed = { buckets, tag };
        return this.#parsed;
      }
    }
    throw new OperatingError("internal", `the value ${bucketsKey} is no list of buckets: remove it from the store`);
  }

  /** Changes the list. `next` may be called several times, each time with what the list is then. */
  async #change(next: (buckets: readonly CreatedBucket[]) => readonly CreatedBucket[]): Promise<void> {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const { buckets, tag } = await this.#read();
      const value = Buffer.from(JSON.stringify({ buckets: [...next(buckets)] } satisfies z.input<typeof listSchema>));
      const outcome = await this.#operations().write({
        key: bucketsKey,
        value: compact(value),
        headers: noHeaders,
        precondition: tag === undefined ? { noneMatch: ["*"] } : { match: [tag] },
        md5: hash("md5", value),
        durability: "replicated",
      });
      if (outcome.kind === "written") return;
    }
    throw new OperatingError("overloaded", "too many clients create and remove buckets at the same time");
  }
}

function namedIn({ buckets }: S3Rules): ReadonlyMap<string, Bucket> {
  return new Map(buckets.map(({ name, prefix }) => [name, { name, prefix, createdMs: 0 }]));
}

function parseList(bytes: Buffer): readonly CreatedBucket[] | undefined {
  try {
    return listSchema.parse(JSON.parse(bytes.toString())).buckets;
  } catch {
    return undefined;
  }
}

function prefixOf(name: string): string {
  return `${name}/`;
}

function bucketOf({ name, createdMs }: CreatedBucket): Bucket {
  return { name, prefix: prefixOf(name), createdMs };
}

function alreadyThere(): S3Error {
  return new S3Error("BucketAlreadyOwnedByYou", "there is a bucket of this name");
}

export function noSuchBucket(): S3Error {
  return new S3Error("NoSuchBucket", "there is no bucket of this name");
}
