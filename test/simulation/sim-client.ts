/**
 * Clients of a simulated cluster: each calls one operation at a time on a member of its choice, checks what can be
 * checked at once (bytes, headers and entity tag belong together; refusals are allowed ones), and notes calls and
 * answers in the history.
 */

import { hash } from "node:crypto";
import type { Timer } from "../../src/base/clock.ts";
import { isOperatingError, nothingStored, OperatingError } from "../../src/base/errors.ts";
import type { ContentHeaders } from "../../src/core/entry.ts";
import type { Durability, ReadOutcome, WriteOutcome } from "../../src/core/operation.ts";
import type { Precondition } from "../../src/core/precondition.ts";
import type { Version } from "../../src/core/version.ts";
import type { History, RegisterAction, RegisterCondition, RegisterOutcome } from "../harness/history.ts";
import type { SimRandom } from "../harness/sim-random.ts";
import { deleteOf, putOf } from "../harness/write-operations.ts";
import { type Expectations, notDone } from "./expectations.ts";
import { partBytesOf, type ScenarioPlan } from "./scenario-plan.ts";
import type { Running, RunningMember, SimHost } from "./sim-cluster.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimWorld } from "./sim-world.ts";
import type { Deletion } from "./store-watch.ts";

export interface Content {
  readonly name: string;
  readonly value: Buffer;
  /** Its entity tag. */
  readonly md5: string;
  readonly headers: ContentHeaders;
  /** Whether it goes to the store as it comes, being too large to be buffered. */
  readonly isLarge: boolean;
  /** Whether its client sends it in parts of its own. */
  readonly isParted: boolean;
}

/** Every content that exists in a world, by name and by entity tag. */
export class Contents {
  readonly #plan: Pick<ScenarioPlan, "bufferedBytes" | "maxValueBytes">;
  readonly #byName = new Map<string, Content>();
  readonly #byMd5 = new Map<string, Content>();

  constructor(plan: Pick<ScenarioPlan, "bufferedBytes" | "maxValueBytes">) {
    this.#plan = plan;
  }

  /** A content of `size` bytes at least, unlike any other. */
  make(name: string, size: number): Content {
    const value = Buffer.alloc(Math.max(size, name.length + 1), `${name} `);
    const { bufferedBytes, maxValueBytes } = this.#plan;
    const isLarge = bufferedBytes !== undefined && value.length > bufferedBytes;
    const plainMd5 = hash("md5", value, "hex");
    const md5 = isLarge ? tagOfParts(value, partBytesOf(maxValueBytes)) : plainMd5;
    return this.#keep({ name, value, md5, headers: headersOf(name), isLarge, isParted: false }, plainMd5);
  }

  /** A content that its client sends in parts. @param md5 its entity tag */
  makeParted(name: string, value: Buffer, md5: string, headers: ContentHeaders = headersOf(name)): Content {
    return this.#keep({ name, value, md5, headers, isLarge: true, isParted: true }, hash("md5", value, "hex"));
  }

  #keep(content: Content, plainMd5: string): Content {
    this.#byName.set(content.name, content);
    this.#byMd5.set(content.md5, content);
    this.#byMd5.set(plainMd5, content);
    return content;
  }

  named(name: string): Content | undefined {
    return this.#byName.get(name);
  }

  withMd5(md5: string): Content | undefined {
    return this.#byMd5.get(md5);
  }
}

function headersOf(name: string): ContentHeaders {
  return { "x-weir-meta-name": name };
}

export interface ClientWorld {
  readonly world: SimWorld;
  readonly history: History;
  readonly contents: Contents;
  readonly deletions: Deletion[];
  readonly expectations: Expectations;
  /** Under whose name a client with this label writes; undefined if under none. */
  readonly holderOf: (label: string) => string | undefined;
  /** Why the store may not be said to have this version of the key; undefined if it may. */
  readonly notStored: (key: string, version: Version, isDelete: boolean) => string | undefined;
}

/** Whom a client calls: one of the host's processes, if it has any. */
export interface Caller {
  readonly host: SimHost;
  readonly running: Running | undefined;
}

/** How often a value that is in the store only is read again because it has been replaced. */
const storedAttempts = 20;
/** Of a large value, as a client sends it. */
const pieceBytes = 70;

/** How long an operator looks at what is refused, on average. */
const meanReadingMs = 100;
/** One-way time between a client and a member, on average. */
const meanLatencyMs = 0.5;

/** Does an action on a member. */
export type Deed = (member: RunningMember) => Promise<ReadOutcome | WriteOutcome>;

/**
 * Calls `action` on a process of the host; `done` gets the outcome once, `unknown` also for refusals.
 * @param deed - how it is done, if not in the usual way
 */
export function perform(
  parts: ClientWorld,
  random: SimRandom,
  { host, running }: Caller,
  key: string,
  label: string,
  action: RegisterAction,
  done: (outcome: RegisterOutcome) => void,
  deed?: Deed,
): void {
  const { world, history, expectations } = parts;
  const { process, member } = running ?? {};
  if (process?.alive !== true || member === undefined) {
    done({ kind: "unknown" });
    return;
  }
  const calledMs = world.now;
  const invocation = history.call(key, `${label} at ${process.name}`, action);
  const deletion: Deletion | undefined = action.kind === "delete" ? { key, calledMs, version: undefined } : undefined;
  if (deletion !== undefined) parts.deletions.push(deletion);
  world.note("call", () => `${label} ${key} ${JSON.stringify(action)} at ${process.name}`);
  let finished = false;
  const finish = (outcome: RegisterOutcome, detail: string, version?: Version): void => {
    if (finished) return;
    finished = true;
    lateness.cancel();
    if (outcome.kind !== "unknown") expectations.answered(host, calledMs, world.now - calledMs);
    world.note("answer", () => `${label} ${key} ${detail}`);
    history.answer(invocation, outcome, version);
    done(outcome);
  };
  const refuse = (error: unknown): void => {
    const allowed = expectations.allowedCodes(host, action, calledMs);
    if (!isOperatingError(error) || !allowed.includes(error.code)) {
      world.fail(new Error(`P4: ${label} on ${key} at ${process.name} failed as it must not`, { cause: error }));
      return;
    }
    const isCertain = notDone.includes(error.code) || error.code === "not_refused";
    if ((isCertain || error.message.endsWith(nothingStored)) && !finished) history.refuse(invocation);
    finish({ kind: "unknown" }, `${error.code}: ${error.message}`);
  };
  process.onCrash(() => finish({ kind: "unknown" }, "connection reset"));
  const late = (ms: number): void => {
    world.fail(new Error(`P4: ${label} on ${key} at ${process.name} got no answer within ${Math.round(ms)} ms`));
  };
  const watch = (): Timer => {
    // A drop is two operations, a look and the deed.
    const operations = action.kind === "drop" ? 2 : 1;
    const leftMs = calledMs + operations * expectations.patienceMs(host, calledMs) - world.now;
    return world.schedule(Math.max(0, leftMs), () => {
      if (leftMs <= 0) late(world.now - calledMs);
      else lateness = watch();
    });
  };
  let lateness = watch();
  process.schedule(random.exponential(meanLatencyMs), () => {
    const called = deed ? deed(member) : call(parts, process, member, key, label, action, random);
    called.then(
      (outcome) => {
        if (outcome.kind === "written" && deletion !== undefined) deletion.version = outcome.version;
        if (outcome.kind === "written") checkDurability(parts, key, action, outcome);
        world.schedule(random.exponential(meanLatencyMs), () => {
          if (action.kind === "drop" && outcome.kind === "precondition_failed") {
            // Of versions the history knows nothing.
            if (!finished) history.refuse(invocation);
            return finish({ kind: "unknown" }, "another version");
          }
          try {
            const result = judge(parts.contents, action, outcome);
            const version = versionTold(parts.contents, action, outcome);
            finish(result, result.kind === "value" ? result.value : result.kind, version);
          } catch (error) {
            world.fail(error);
          }
        });
      },
      (error: unknown) => void world.schedule(random.exponential(meanLatencyMs), () => refuse(error)),
    );
  });
}

/** The version that a client is told. Of what goes to the store as it comes, that is another one once it is there. */
function versionTold(
  contents: Contents,
  action: RegisterAction,
  outcome: ReadOutcome | WriteOutcome,
): Version | undefined {
  if (outcome.kind === "written") {
    const isLarge = action.kind === "put" && contents.named(action.value)?.isLarge === true;
    return isLarge ? undefined : outcome.version;
  }
  if (outcome.kind !== "value" || contents.withMd5(outcome.info.md5)?.isLarge !== false) return undefined;
  const { epoch, seq } = outcome.info;
  return { epoch, seq };
}

function call(
  parts: ClientWorld,
  process: SimProcess,
  member: RunningMember,
  key: string,
  label: string,
  action: RegisterAction,
  random: SimRandom,
): Promise<ReadOutcome | WriteOutcome> {
  const infoOnly = random.chance(0.2);
  if (action.kind === "get") return readWhole(member, key, !infoOnly);
  if (action.kind === "drop") return discard(process, member, key, random.exponential(meanReadingMs));
  const precondition = action.condition && conditionFor(parts.contents, action.condition);
  const durability: Durability = action.stored === true ? "stored" : "replicated";
  const holder = parts.holderOf(label);
  if (action.kind === "delete") return member.operations.write(deleteOf(key, { precondition, durability, holder }));
  const content = parts.contents.named(action.value);
  if (content === undefined) throw new Error(`there is no content ${action.value}`);
  if (content.isLarge) {
    return member.operations.writeStream({
      key,
      headers: content.headers,
      precondition,
      length: content.value.length,
      body: inPieces(content.value),
    });
  }
  const { value, headers } = content;
  return member.operations.write(putOf(key, value, { headers, precondition, durability, holder }));
}

/** Looks at what the store refuses of the key, and gives that up after a while. */
async function discard(
  process: SimProcess,
  member: RunningMember,
  key: string,
  readingMs: number,
): Promise<WriteOutcome> {
  const { version } = await member.operations.refused(key);
  await new Promise<void>((resolve) => void process.schedule(readingMs, resolve));
  return await member.operations.discard(key, version);
}

/**
 * Reads a value that is in the store only as a client's request does: from there, and once more if it has been replaced
 * meanwhile.
 */
async function readWhole(member: RunningMember, key: string, wantValue: boolean): Promise<ReadOutcome> {
  let changed: string | undefined;
  for (let count = 0; count < storedAttempts; count++) {
    const outcome = await member.operations.read(key, wantValue, changed);
    if (outcome.kind !== "stored") return outcome;
    const { info } = outcome;
    if (!wantValue) return { kind: "value", info, value: undefined };
    const stream = await member.operations.open(key, info.md5, 0, info.size);
    if (stream) {
      await using _ = stream;
      const chunks: Uint8Array[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      return { kind: "value", info, value: Buffer.concat(chunks) };
    }
    changed = info.md5;
  }
  throw new OperatingError("store_unavailable", "the value is replaced each time it is about to be read");
}

async function* inPieces(value: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let offset = 0; offset < value.length; offset += pieceBytes) yield value.subarray(offset, offset + pieceBytes);
}

/** P2: at this instant the store has what it is said to have. */
function checkDurability(
  { world, notStored }: ClientWorld,
  key: string,
  action: RegisterAction,
  { version, durability }: Extract<WriteOutcome, { kind: "written" }>,
): void {
  // What was given up is not in the store, nor said to be.
  if (action.kind === "drop") return;
  const asked = action.kind !== "get" && action.stored === true;
  const reason = durability === "stored" ? notStored(key, version, action.kind === "delete") : undefined;
  if (reason !== undefined) world.fail(new Error(`P2: a write of ${key} was answered as stored: ${reason}`));
  if (asked && durability !== "stored")
    world.fail(new Error(`P2: a write of ${key} was answered before it was stored`));
}

function conditionFor(contents: Contents, condition: RegisterCondition): Precondition {
  const tags = (names: readonly string[]): string[] => names.map((name) => contents.named(name)?.md5 ?? name);
  return {
    ...(condition.match === undefined ? {} : { match: tags(condition.match) }),
    ...(condition.noneMatch === undefined ? {} : { noneMatch: tags(condition.noneMatch) }),
  };
}

/** What the register's history says of an answer. Throws when the answer is wrong in itself. */
function judge(contents: Contents, action: RegisterAction, outcome: ReadOutcome | WriteOutcome): RegisterOutcome {
  switch (outcome.kind) {
    case "missing":
      return { kind: "missing" };
    case "precondition_failed":
      return { kind: "condition_failed" };
    case "written": {
      const expected = action.kind === "put" ? contents.named(action.value)?.md5 : "";
      if (outcome.tag !== expected)
        throw new Error(`a ${action.kind} was answered with the MD5 "${outcome.tag}", not "${expected}"`);
      return { kind: "written" };
    }
    case "value": {
      const content = contents.withMd5(outcome.info.md5);
      if (content === undefined) throw new Error(`a read gave an unknown MD5 "${outcome.info.md5}"`);
      if (outcome.value !== undefined && !outcome.value.equals(content.value))
        throw new Error(`${content.name} has other bytes`);
      if (outcome.info.size !== content.value.length)
        throw new Error(`${content.name} has the size ${outcome.info.size}`);
      if (outcome.info.headers["x-weir-meta-name"] !== content.headers["x-weir-meta-name"])
        throw new Error(`${content.name} has other headers`);
      return { kind: "value", value: content.name };
    }
    default:
      throw new Error("an unknown outcome");
  }
}

/** The tag of what is uploaded in parts of so many bytes: see `sim-uploads.ts`. */
function tagOfParts(value: Buffer, partBytes: number): string {
  const tags: string[] = [];
  for (let offset = 0; offset < value.length; offset += partBytes)
    tags.push(hash("md5", value.subarray(offset, offset + partBytes)));
  return `${hash("md5", Buffer.from(tags.join(""), "hex"))}-${tags.length}`;
}
