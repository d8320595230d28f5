/**
 * The thread that makes the changes of a folder. What has come since it last looked forms a group: the changes of a
 * group go on side by side, and share the syncs of folders.
 */

import type { MessagePort } from "node:worker_threads";
import type { Clock } from "../../base/clock.ts";
import { isOperatingError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { blockingFiles } from "./blocking-files.ts";
import { fileError } from "./durable-files.ts";
import { FileWrites } from "./file-writes.ts";
import type { FromThread, ThreadData, ToThread } from "./thread-messages.ts";

type ChangeMessage = ToThread & { readonly kind: "change" };

/** Serves until it is told to end. */
export function serveChanges(
  port: MessagePort,
  { root }: ThreadData,
  ports: { readonly clock: Clock; readonly random: Random },
): void {
  const writes = new FileWrites(root, blockingFiles, ports);
  const group: ChangeMessage[] = [];

  const say = (message: FromThread): void => port.postMessage(message);

  const serve = async ({ id, change, giveUpAt }: ChangeMessage): Promise<void> => {
    try {
      say({ kind: "done", id, result: await writes.change(change, { giveUpAt, authorize: undefined }) });
    } catch (cause) {
      const error = fileError(cause, root);
      if (!isOperatingError(error)) throw error;
      const { code, message, neverSent } = error;
      say({ kind: "failed", id, failure: { code, message, neverSent, cause: error.cause } });
    }
  };

  const begin = (): void => {
    for (const message of group.splice(0)) void serve(message);
  };

  const end = async (): Promise<void> => {
    await writes[Symbol.asyncDispose]();
    port.close();
  };

  port.on("message", (message: ToThread) => {
    if (message.kind === "end") void end();
    // Messages are read one by one. A change that began at once would be done before the next one is read.
    else if (group.push(message) === 1) setImmediate(begin);
  });
  say({ kind: "ready", now: ports.clock.now() });
}
