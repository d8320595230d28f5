/**
 * Loaded before anything else in a process that is to have a bug: what the process loads from the sources has it. See
 * planted-process.ts.
 */

"use strict";

const { readFileSync } = require("node:fs");
const { registerHooks } = require("node:module");

const { sources } = JSON.parse(readFileSync(process.env.WEIR_TEST_PLANTED, "utf8"));

registerHooks({
  load(url, context, nextLoad) {
    return Object.hasOwn(sources, url)
      ? { format: "module-typescript", source: sources[url], shortCircuit: true }
      : nextLoad(url, context);
  },
});
