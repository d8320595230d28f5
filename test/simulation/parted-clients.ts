/**
 * Clients that send a value in parts of their own: in any order, parts again, each through another member. They
 * complete an upload again when they do not know whether it was completed, now and then also when they do, and through
 * two members at once. Some abort it in the middle. Some are careless: they name other parts the second time.
 *
 * An upload that nobody has ended can be completed when all is healed (L19).
 */

import { isOperatingError } from "../../src/base/errors.ts";
import type { Operations, PartedUpload, UploadedPart } from "../../src/core/operation.ts";
import type { Blob } from "../../src/store/blob-store.ts";
import type { RegisterCondition } from "../harness/history.ts";
import type { SimRandom } from "../harness/sim-random.ts";
import type { ScenarioPlan } from "./scenario-plan.ts";
import { type Caller, type ClientWorld, type Content, perform } from "./sim-client.ts";
import type { SimStore } from "./sim-store.ts";
import type { SimWorld } from "./sim-world.ts";
import type { Workload } from "./workload.ts";

/** Between the beginnings of two uploads, on average; and between two steps of one. */
const meanMs = 400;
const meanStepMs = 40;
/** Uploads of a world, at most. */
const maxUploads = 12;
const maxParts = 4;
const maxTries = 4;
const meanLatencyMs = 0.5;
/** Between two attempts of what has to be done at last. */
const againMs = 100;

interface Part {
  readonly number: number;
  readonly body: Buffer;
}

/** What a client knows of its upload. */
interface Session {
  readonly label: string;
  readonly key: string;
  readonly upload: PartedUpload;
  readonly parts: readonly Part[];
  readonly content: Content;
  /** What all parts but the first make; undefined for a client that takes care. */
  readonly other: Content | undefined;
  /** By number. */
  readonly sent: Map<number, UploadedPart>;
  isAborted: boolean;
  isDone: boolean;
}

export interface PartedClientsParts {
  readonly plan: ScenarioPlan;
  readonly world: SimWorld;
  readonly store: SimStore;
  readonly clients: ClientWorld;
  readonly workload: Workload;
  readonly pickCaller: () => Caller | undefined;
}

export class PartedClients {
  readonly #parts: PartedClientsParts;
  readonly #random: SimRandom;
  readonly #sessions: Session[] = [];
  /** Tokens that an object has had. */
  readonly #completed = new Set<string>();
  /** Those that were to be completed at last, and are not there. */
  readonly #gone: Session[] = [];
  #count = 0;
  #underWay = 0;
  #stopped = false;

  constructor(parts: PartedClientsParts) {
    this.#parts = parts;
    this.#random = parts.world.random("parted clients");
  }

  /** Whether no client waits for anything. */
  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  start(): void {
    this.#parts.world.schedule(this.#random.exponential(meanMs), () => {
      if (this.#stopped || this.#count === maxUploads) return;
      this.#run(this.#upload(`parted ${++this.#count}`));
      this.start();
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  /** An object is another one. */
  changed(blob: Blob | undefined): void {
    if (blob?.upload !== undefined) this.#completed.add(blob.upload);
  }

  /** All is healed: completes what nobody has ended. */
  finish(): void {
    for (const session of this.#sessions) if (!session.isAborted && !session.isDone) this.#run(this.#finish(session));
  }

  /** Judged when nothing lands any more: a completion may be late. */
  violations(): string[] {
    const { meddledWith } = this.#parts.store.uploads;
    const unexplained = this.#gone.filter(
      ({ upload }) => !this.#completed.has(upload.token) && !meddledWith.has(upload.id),
    );
    return unexplained.map(
      ({ label }) => `L19: the upload of ${label} is gone, and nobody has completed or aborted it`,
    );
  }

  #run(work: Promise<void>): void {
    this.#underWay++;
    work.then(
      () => this.#underWay--,
      (error: unknown) => this.#parts.world.fail(error),
    );
  }

  async #upload(label: string): Promise<void> {
    const random = this.#random;
    const session = await this.#begin(label);
    if (!session) return;
    this.#sessions.push(session);
    for (const part of random.shuffle(session.parts)) {
      await this.#pause();
      if (random.chance(0.2)) await this.#send(session, { ...part, body: Buffer.from("something else") });
      session.sent.delete(part.number);
      await this.#sendUntilSent(session, part);
      if (random.chance(0.1)) await this.#sendUntilSent(session, part);
    }
    for (let tries = 0; tries < maxTries && !this.#stopped; tries++) {
      await this.#pause();
      if (random.chance(0.1)) this.#run(this.#sendOver(session, random.pick(session.parts)));
      if (random.chance(0.1)) this.#run(this.#abort(session));
      if (random.chance(0.15)) this.#run(this.#complete(session, session.content, undefined));
      const isCareless = session.other !== undefined && random.chance(0.4);
      await this.#complete(session, isCareless ? session.other : session.content, this.#drawCondition());
      if (session.isDone && random.chance(0.6)) return;
    }
  }

  async #begin(label: string): Promise<Session | undefined> {
    const { plan, clients, workload, store } = this.#parts;
    const random = this.#random;
    const key = random.pick(plan.keys);
    const name = workload.nameContent(key);
    let number = 0;
    const parts = Array.from({ length: random.whole(1, maxParts) }, (_, index) => {
      number += random.chance(0.7) ? 1 : random.whole(2, 5);
      return { number, body: Buffer.alloc(random.whole(1, plan.maxValueBytes) + name.length, `${name} ${index} `) };
    });
    const make = (title: string, of: readonly Part[], headers?: Content["headers"]): Content => {
      const bodies = of.map(({ body }) => body);
      return clients.contents.makeParted(title, Buffer.concat(bodies), store.uploads.tagOf(bodies), headers);
    };
    const content = make(name, parts);
    const isCareless = parts.length > 1 && random.chance(0.25);
    const other = isCareless ? make(workload.nameContent(key), parts.slice(1), content.headers) : undefined;
    const upload = await this.#ask((operations) => operations.beginUpload(key, content.headers));
    return upload && { label, key, upload, parts, content, other, sent: new Map(), isAborted: false, isDone: false };
  }

  async #sendUntilSent(session: Session, part: Part): Promise<void> {
    for (let tries = 0; tries < maxTries; tries++) if (await this.#send(session, part)) return;
  }

  /** Something else comes over a part, and then the part again: meanwhile the upload can't be completed. */
  async #sendOver(session: Session, part: Part): Promise<void> {
    const { sent } = session;
    const before = sent.get(part.number);
    await this.#send(session, { ...part, body: Buffer.from("something else") });
    if (before) sent.set(part.number, before);
    else sent.delete(part.number);
    await this.#pause();
    await this.#sendUntilSent(session, part);
  }

  /** Whether it was sent. */
  async #send({ key, upload, sent }: Session, { number, body }: Part): Promise<boolean> {
    const part = { number, length: body.length, body: inTwo(body) };
    const tag = await this.#ask((operations) => operations.sendPart(key, upload, part));
    if (tag !== undefined) sent.set(number, { number, tag, size: body.length });
    return tag !== undefined;
  }

  async #abort(session: Session): Promise<void> {
    session.isAborted = true;
    await this.#ask((operations) => operations.abortUpload(session.key, session.upload));
  }

  /** Notes the upload's end if this is it. */
  async #complete(session: Session, content: Content, condition: RegisterCondition | undefined): Promise<void> {
    const { clients, pickCaller } = this.#parts;
    const { key, upload, label, sent } = session;
    const listed = content === session.content ? session.parts : session.parts.slice(1);
    const parts = listed.flatMap(({ number }) => sent.get(number) ?? []);
    const caller = pickCaller();
    // Whoever lacks a part does not complete.
    if (caller === undefined || parts.length < listed.length) return;
    const { headers } = session.content;
    const precondition = condition?.noneMatch === undefined ? undefined : { noneMatch: condition.noneMatch };
    const action = { kind: "put", value: content.name, ...(condition && { condition }) } as const;
    const outcome = await new Promise<{ readonly kind: string }>((resolve) =>
      perform(clients, this.#random, caller, key, label, action, resolve, ({ operations }) =>
        operations.completeUpload({ key, upload, parts, headers, precondition }),
      ),
    );
    if (outcome.kind === "written") session.isDone = true;
  }

  /** Sends all of it again, since a part that was given up may have come over another, and completes it. */
  async #finish(session: Session): Promise<void> {
    const { world, store } = this.#parts;
    const { upload } = session;
    while (!session.isDone && store.uploads.has(upload.id)) {
      if (store.uploads.meddledWith.has(upload.id)) return;
      for (const part of session.parts) await this.#send(session, part);
      await this.#complete(session, session.content, undefined);
      if (!session.isDone) await new Promise<void>((resolve) => void world.schedule(againMs, resolve));
    }
    if (!session.isDone) this.#gone.push(session);
  }

  /** Undefined if it fails, or the process ends. */
  async #ask<T>(work: (operations: Operations) => Promise<T>): Promise<T | undefined> {
    const { world, pickCaller } = this.#parts;
    const { process, member } = pickCaller()?.running ?? {};
    if (process?.alive !== true || member === undefined) {
      await this.#pause();
      return undefined;
    }
    return await new Promise((resolve) => {
      process.onCrash(() => resolve(undefined));
      process.schedule(this.#random.exponential(meanLatencyMs), () => {
        work(member.operations).then(
          (result) => void world.schedule(this.#random.exponential(meanLatencyMs), () => resolve(result)),
          (error: unknown) => {
            if (!isOperatingError(error)) world.fail(error);
            resolve(undefined);
          },
        );
      });
    });
  }

  async #pause(): Promise<void> {
    const ms = this.#random.exponential(meanStepMs);
    await new Promise<void>((resolve) => void this.#parts.world.schedule(ms, resolve));
  }

  #drawCondition(): RegisterCondition | undefined {
    return this.#random.chance(0.25) ? { noneMatch: ["*"] } : undefined;
  }
}

async function* inTwo(body: Buffer): AsyncGenerator<Uint8Array, void> {
  const middle = Math.floor(body.length / 2);
  yield body.subarray(0, middle);
  yield body.subarray(middle);
}
