/** Planted bugs of the process of a node and of what it does when its file changes. */

import type { GlueBug } from "./glue-bug.ts";

const reload = "src/cli/process/config-reload.ts";
const changes = "src/config/changes.ts";
const watch = "src/config/file-watch.ts";
const serve = "src/cli/commands/serve.ts";
const reloadTest = "test/unit/cli/process/config-changes.test.ts";
const watchTest = "test/unit/config/file-watch.test.ts";
const serveTest = "test/integration/serve.test.ts";

export const reloadBugs: readonly GlueBug[] = [
  {
    name: "reload-opens-the-node",
    breaks: "A newer `auth` that is safe only after a restart waits for it.",
    edits: [
      {
        file: reload,
        find: "    if (mistake === undefined) return next;\n",
        replace: "    if ((mistake ?? next) !== undefined) return next;\n",
      },
    ],
    test: {
      file: reloadTest,
      name: "a node that listens where other hosts reach it keeps its tokens when a file without them needs a restart to be safe",
      says: /deep-equal/,
    },
  },
  {
    name: "refused-file-not-tried-again",
    breaks: "A file that was not taken is told again.",
    edits: [
      {
        file: watch,
        find: "      this.#isTaken = this.#observer.onChange(text);",
        replace: "      this.#observer.onChange(text);",
      },
    ],
    test: {
      file: watchTest,
      name: "a content that the observer does not take is told again with each look, until it takes one",
      says: /it is told again/,
    },
  },
  {
    name: "reload-without-effect",
    breaks: "Nodes, tokens and secrets of a changed file take effect.",
    edits: [{ file: reload, find: "    target.reconfigure(next);\n", replace: "" }],
    test: {
      file: reloadTest,
      name: "a node that is added, removed or moved counts at once, and is named in the log",
      says: /\+ \[\]\n- \[/,
    },
  },
  {
    name: "reload-takes-a-file-with-mistakes",
    breaks: "A file with mistakes changes nothing.",
    edits: [
      {
        file: reload,
        find: '      this.#complain("the configuration has changed and is wrong; the node goes on with what it had", error as Error);\n',
        replace: "      this.#options.target.reconfigure(this.#options.running);\n",
      },
    ],
    test: {
      file: reloadTest,
      name: "a file with mistakes is ignored with all of them in the log, and the next right one counts",
      says: /\+\s+'a http:\/\/127\.0\.0\.1:7070'/,
    },
  },
  {
    name: "reload-takes-another-clusters-file",
    breaks: "The file of another cluster changes nothing.",
    edits: [
      {
        file: reload,
        find: "    if (newer.cluster !== running.cluster) {",
        replace: '    if (newer.cluster === "") {',
      },
    ],
    test: {
      file: reloadTest,
      name: "the file of another cluster is ignored, whatever nodes it has",
      says: /\+\s+'leave'/,
    },
  },
  {
    name: "removed-node-stays",
    breaks: "A node whose entry is removed leaves.",
    edits: [{ file: reload, find: "      target.leave();\n      return;", replace: "      return;" }],
    test: {
      file: reloadTest,
      name: "a node whose own entry is removed leaves, once, and heeds no further change",
      says: /-\s+'leave'/,
    },
  },
  {
    name: "leaving-node-heeds-the-file",
    breaks: "A node that leaves heeds no further change.",
    edits: [{ file: reload, find: "    if (this.#isLeaving) return true;\n", replace: "" }],
    test: {
      file: reloadTest,
      name: "a node whose own entry is removed leaves, once, and heeds no further change",
      says: /\+\s+'leave'/,
    },
  },
  {
    name: "restart-not-told",
    breaks: "The log says which settings need a restart.",
    edits: [{ file: reload, find: "    this.#tellRestart(configChanges(running, next, node));\n", replace: "" }],
    test: {
      file: reloadTest,
      name: "settings that need a restart are told in one line, once, and again when they change further",
      says: /-\s+'flush\.delayMs, request\.limit, nodes\.a\.weight'/,
    },
  },
  {
    name: "restart-told-by-the-latest-file",
    breaks: "What needs a restart is told against what the node was started with.",
    edits: [
      {
        file: reload,
        find: "this.#tellRestart(configChanges(running, next, node))",
        replace: "this.#tellRestart(configChanges(this.#latest, next, node))",
      },
    ],
    test: {
      file: reloadTest,
      name: "settings that need a restart are told in one line, once, and again when they change further",
      says: /\+\s+'log\.format'/,
    },
  },
  {
    name: "shared-settings-told-as-own",
    breaks: "Settings that the first node fixes for all are told apart.",
    edits: [
      {
        file: reload,
        find: "    const own = needRestart.filter((path) => !sharedSettings.includes(path));",
        replace: "    const own = needRestart;",
      },
    ],
    test: {
      file: reloadTest,
      name: "settings that the first node has fixed for all are told apart: a restart of one node changes nothing",
      says: /\+\s+'replicas, flush\.delayMs/,
    },
  },
  {
    name: "half-written-file-told-at-once",
    breaks: "A mistake is told only if it stays.",
    edits: [{ file: reload, find: "clock.after(patienceMs, () =>", replace: "clock.after(0, () =>" }],
    test: {
      file: reloadTest,
      name: "a file that is empty, half or away while it is written is told only if it stays so, and without a stack",
      says: /\+\s+'the configuration has changed and is wrong/,
    },
  },
  {
    name: "changed-secret-not-noticed",
    breaks: "A secret whose value changes counts, though its reference is the same.",
    edits: [{ file: changes, find: "now.equals(next) ? [] : [path]", replace: "now.equals(next) ? [] : []" }],
    test: {
      file: reloadTest,
      name: "a secret whose reference is the same and whose value is not counts at once, and is not shown",
      says: /- 'secret'/,
    },
  },
  {
    name: "watch-tells-what-has-not-changed",
    breaks: "A file that has not changed is not told.",
    edits: [
      {
        file: watch,
        find: "if (this.#isDisposed || (text === this.#text && this.#isTaken && !tellsAlways && !isBack)) return;",
        replace: "if (this.#isDisposed) return;",
      },
    ],
    test: {
      file: watchTest,
      name: "other files beside it and its own content written again are not told, but reading it again on demand is",
      says: /\+\s+'0'/,
    },
  },
  {
    name: "watch-tells-after-its-end",
    breaks: "Nothing is told of a file that is watched no more.",
    edits: [
      {
        file: watch,
        find: "if (this.#isDisposed || (text === this.#text && this.#isTaken && !tellsAlways && !isBack)) return;",
        replace: "if (text === this.#text && this.#isTaken && !tellsAlways && !isBack) return;",
      },
      { file: watch, find: "      if (this.#isDisposed) return;\n      let text", replace: "      let text" },
    ],
    test: { file: watchTest, name: "nothing is told of a file that is watched no more", says: /\+\s+'1'/ },
  },
  {
    name: "serve-outlives-its-failure",
    breaks: "The process of a node that can't go on ends, with exit code 1.",
    edits: [
      {
        file: serve,
        find: "Promise.race([stop.requested, node.ended, failed])",
        replace: "Promise.race([stop.requested, node.ended])",
      },
      {
        file: serve,
        find: 'const failed = node.failed.catch((error: unknown) => giveUp(log, "the node can\'t go on", error));',
        replace: 'void node.failed.catch((error: unknown) => log.error("the node can\'t go on", { error }));',
      },
    ],
    test: {
      file: serveTest,
      name: "the process of a node that can't go on ends with 1, and its log says why",
      says: /the process goes on/,
    },
  },
  {
    name: "serve-keeps-the-logs-level",
    breaks: "The log's level that changes counts at once.",
    edits: [{ file: serve, find: "        log.setLevel(next.log.level);\n", replace: "" }],
    test: {
      file: serveTest,
      name: "a node that runs takes over the log's level and its tokens from the changed file",
      says: /the log goes on at its old level/,
    },
  },
  {
    name: "serve-passes-no-change-on",
    breaks: "A changed file reaches the node.",
    edits: [{ file: serve, find: "        node.reconfigure(next);\n", replace: "" }],
    test: {
      file: serveTest,
      name: "a node that runs takes over the log's level and its tokens from the changed file",
      says: /"status":401/,
    },
  },
];
