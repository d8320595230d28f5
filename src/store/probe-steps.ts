/**
 * How a store is tried out. One blob is created, replaced and removed, and the store must refuse where a condition does
 * not hold. Each answer is compared with what the port promises. A store that accepts conditions and ignores them would
 * lose writes silently, so nothing here is taken on trust.
 */

import { OperatingError } from "../base/errors.ts";
import { noHeaders } from "../core/entry.ts";
import type { BlobContent, BlobStore, RequestOptions, WriteCondition } from "./blob-store.ts";

export interface Findings {
  /** Whether the store refuses `absent` while there is a blob. */
  readonly absentHonoured: boolean;
  /** Whether the store grants `unchanged` with the blob's tag and refuses it with another tag. */
  readonly unchangedHonoured: boolean;
  /** Whether {@link BlobStore.remove} refuses `unchanged` with another tag. */
  readonly removesHonoured: boolean;
}

/** A tag that no blob has, in the form of S3's tags. */
const noTag = "00000000000000000000000000000000";

const maxBytes = 1_024;

/** In the form of a version, as metadata. */
const version = "probe.1.1";

/**
 * Leaves nothing behind unless it throws.
 *
 * @param name A name that nobody uses, under `.weir/probe/`.
 * @param foreignTag A tag that no blob has, in the form of the store's tags.
 * @throws OperatingError when the store is out of reach, a right is missing, or the store does not return what it was
 * given.
 */
export async function tryOut(
  store: BlobStore,
  name: string,
  options: RequestOptions,
  foreignTag: string = noTag,
): Promise<Findings> {
  const blob = (text: string): BlobContent => ({ body: Buffer.from(`${name} ${text}`), headers: noHeaders });
  const write = (text: string, condition: WriteCondition) => store.write(name, blob(text), condition, options);

  if ((await store.read(name, maxBytes, options)).kind !== "missing") {
    throw new OperatingError("store_refused", `${store.description} finds a blob where none was written`);
  }
  const first = await write("1", { kind: "absent" });
  if (first.kind !== "written") {
    throw new OperatingError("store_refused", `${store.description} can't be written: it says that ${name} exists`);
  }
  let last = first.tag;
  const second = await write("2", { kind: "absent" });
  const absentHonoured = second.kind === "conflict";
  if (second.kind === "written") last = second.tag;
  const third = await write("3", { kind: "unchanged", tag: last });
  const granted = third.kind === "written";
  const fourth = await write("4", { kind: "unchanged", tag: foreignTag });
  const unchangedHonoured = granted && fourth.kind === "conflict";

  await store.write(name, { ...blob("5"), version }, { kind: "always" }, options);
  const seen = await store.read(name, maxBytes, options);
  if (seen.kind !== "found" || !seen.blob.body.equals(blob("5").body)) {
    throw new OperatingError("store_refused", `${store.description} does not give back what was written last`);
  }
  // Without it no member knows how old an object is (F16). A look asks for the metadata alone.
  const found = await store.stat(name, options);
  const isSame = found?.version === version && found.tag === seen.blob.tag && found.size === seen.blob.size;
  if (seen.blob.version !== version || !isSame) {
    throw new OperatingError(
      "store_refused",
      `${store.description} does not give back the metadata of what was written: is there a proxy before it that leaves headers out?`,
    );
  }
  const removed = await store.remove(name, { kind: "unchanged", tag: foreignTag }, options);
  await store.remove(name, { kind: "always" }, options);
  if ((await store.stat(name, options)) !== undefined) {
    throw new OperatingError("store_refused", `${store.description} still has a blob that was removed`);
  }
  return { absentHonoured, unchangedHonoured, removesHonoured: removed.kind === "conflict" };
}

/**
 * Whether {@link LargeBlobs.completeUpload} honours `absent`, and `unchanged` with a tag that the blob does not have.
 * Leaves nothing behind unless it throws: then perhaps an upload, which is aborted as a leftover.
 *
 * @param name A name that nobody uses, under `.weir/probe/`.
 * @throws OperatingError when the store is out of reach, or a right is missing.
 */
export async function tryCompletions(store: BlobStore, name: string, options: RequestOptions): Promise<boolean> {
  const content = { headers: noHeaders, token: name };
  const body = Buffer.from(name);
  const isRefused = async (condition: WriteCondition): Promise<boolean> => {
    const { id, sendPart } = await store.beginUpload(name, content, options);
    const parts = [await sendPart({ number: 1, offset: 0, body }, options)];
    const result = await store.completeUpload(name, { ...content, id, parts, size: body.length }, condition, options);
    await store.abortUpload(name, id, options);
    return result.kind === "conflict";
  };
  await store.write(name, { body, headers: noHeaders }, { kind: "always" }, options);
  const honoured = (await isRefused({ kind: "absent" })) && (await isRefused({ kind: "unchanged", tag: noTag }));
  await store.remove(name, { kind: "always" }, options);
  return honoured;
}
