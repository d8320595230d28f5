/**
 * Another process that uses a folder store, for the tests of `file-store.test.ts`: `FOLDER hold NAME` takes the lock on
 * a name and keeps it; `FOLDER count NAME TIMES` adds 1 to a number by compare-and-swap and prints `written` each time.
 */

import { FileLocks } from "../../src/store/folder/file-locks.ts";
import { lockFolder } from "../../src/store/folder/file-names.ts";
import { FileStore } from "../../src/store/folder/file-store.ts";
import { systemClock, systemRandom } from "../../src/system.ts";

const ports = { clock: systemClock, random: systemRandom };
const options = { deadlineMs: 20_000 };
const [folder = "", command, name = "", times = "0"] = process.argv.slice(2);

if (command === "hold") {
  const locks = new FileLocks(`${folder}/${lockFolder}`, systemClock, systemRandom);
  await locks.hold(name, systemClock.now() + options.deadlineMs, async () => {
    process.stdout.write("held\n");
    await new Promise((resolve) => {
      setTimeout(resolve, 60_000);
    });
  });
} else {
  await using store = new FileStore({ path: folder }, ports);
  await store.probe(options);
  for (let done = 0; done < Number(times); ) {
    const seen = await store.read(name, 100, options);
    if (seen.kind !== "found") throw new Error(`the counter is ${seen.kind}`);
    const body = Buffer.from(String(Number(seen.blob.body.toString()) + 1));
    const condition = { kind: "unchanged", tag: seen.blob.tag } as const;
    const result = await store.write(name, { body, headers: {} }, condition, options);
    if (result.kind === "written") {
      done += 1;
      process.stdout.write("written\n");
    }
  }
}
