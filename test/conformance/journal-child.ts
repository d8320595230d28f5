/**
 * Another process that writes a journal, for `journal-process.test.ts`: `FOLDER write` appends until it is killed, from
 * several writers, and prints `durable KEY SEQ` once the entry is durable, `cleaning KEY SEQ` before its end is
 * appended, `cleaned KEY SEQ` once that is durable; `FOLDER hold` opens the folder, prints `held`, and waits; `FOLDER
 * fill` appends until that fails, and prints the failure.
 */

import { writeSync } from "node:fs";
import { openFileDisk } from "../../src/journal/file-disk.ts";
import { openJournal } from "../../src/journal/file-journal.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { JournalOwner } from "../harness/journal-owner.ts";
import { RecordedLog } from "../harness/recorded-log.ts";

const [path = "", command] = process.argv.slice(2);

/** At once, so that nothing that was printed is lost with the process. */
function print(line: string): void {
  writeSync(1, `${line}\n`);
}

try {
  const journal = await openJournal({
    disk: await openFileDisk(path, systemRandom),
    clock: systemClock,
    log: new RecordedLog(),
    settings: { segmentBytes: 128 * 1024, liveLimitBytes: 8 * 1024 * 1024 },
    onFailed: (error) => {
      print(`failed ${error.message}`);
      process.exit(3);
    },
  });
  const owner = new JournalOwner();
  owner.begin(journal);
  switch (command) {
    case "hold":
      print("held");
      setInterval(() => undefined, 1_000);
      break;
    case "fill":
      for (let index = 0; ; index += 1) {
        const { key, seq } = owner.put(`fill-${index}`, Buffer.alloc(20_000, index));
        await owner.confirm();
        print(`durable ${key} ${seq}`);
      }
    default:
      await Promise.all(Array.from({ length: 8 }, (_, writer) => write(owner, writer)));
  }
} catch (error) {
  print(`refused ${(error as Error).message}`);
  process.exitCode = 2;
}

async function write(owner: JournalOwner, writer: number): Promise<void> {
  for (let round = 0; ; round += 1) {
    const key = `key-${writer}-${round % 20}`;
    const entry = owner.put(key, Buffer.from(`value of ${key} `.repeat(1 + ((round * 37) % 300))));
    await owner.confirm();
    print(`durable ${key} ${entry.seq}`);
    if (round % 3 !== 0) continue;
    print(`cleaning ${key} ${entry.seq}`);
    owner.clean(key);
    await owner.confirm();
    print(`cleaned ${key} ${entry.seq}`);
  }
}
