/**
 * Progress on a terminal: one line, which can be taken away again, and nothing that stays on when Ctrl-C ends the
 * command.
 */

import assert from "node:assert/strict";
import { PassThrough, Writable } from "node:stream";
import { test } from "node:test";
import { Transfer } from "../../../../src/cli/copy/transfer.ts";
import { TransferProgress } from "../../../../src/cli/copy/transfer-progress.ts";
import { StageProgress } from "../../../../src/cli/process/stage-progress.ts";
import type { Terminal } from "../../../../src/cli/process/terminal.ts";
import { systemClock } from "../../../../src/system.ts";

const columns = 40;
const escapeCode = String.fromCharCode(27);

/** What is shown on a terminal of 40 columns. */
function shown(show: (terminal: Terminal) => void): string {
  let text = "";
  const screen = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const stderr = Object.assign(screen, { isTTY: true, columns });
  const cursor = { cursorTo: () => true, moveCursor: () => true, clearLine: () => true, clearScreenDown: () => true };
  show({ env: {}, stdin: new PassThrough(), stdout: new PassThrough(), stderr: Object.assign(stderr, cursor) });
  return text;
}

test("a line of progress is cut to the terminal", () => {
  const text = shown((terminal) => new StageProgress(terminal).show("flushing", "x".repeat(100)));
  assert.equal(text.slice(text.indexOf("flushing")).length, columns - 1);
});

test("a bar leaves the terminal's wrapping of lines alone", () => {
  const text = shown((terminal) => {
    using progress = new TransferProgress(terminal, systemClock);
    progress.show(new Transfer(() => undefined));
  });
  assert.ok(!text.includes(`${escapeCode}[?7l`), JSON.stringify(text));
});
