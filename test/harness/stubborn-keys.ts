/** Keys that a folder store refuses for good, while it takes all others: their folder is a symbolic link to itself. */

import { renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const stubbornPrefix = "looped/";

/** From now on keys below {@link stubbornPrefix} are refused; the result ends that. */
export function refuseStubbornKeys(storeFolder: string): () => void {
  const path = join(storeFolder, "looped");
  symlinkSync("looped", path);
  return () => unlinkSync(path);
}

/** Makes the whole folder one that refuses everything; the result ends that. */
export function takeStoreAway(storeFolder: string): () => void {
  renameSync(storeFolder, `${storeFolder}.away`);
  writeFileSync(storeFolder, "");
  return () => {
    unlinkSync(storeFolder);
    renameSync(`${storeFolder}.away`, storeFolder);
  };
}
