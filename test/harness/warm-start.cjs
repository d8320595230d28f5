/**
 * Runs the bundle beside it with a code cache of all functions that an earlier process has run: Node's own cache has
 * only what is compiled when a file is loaded. Copied to where the bundle is; see scripts/test.ts.
 */

"use strict";

const fs = require("node:fs");
const { wrap } = require("node:module");
const path = require("node:path");
const v8 = require("node:v8");
const vm = require("node:vm");

const bundle = path.join(__dirname, "bundle.cjs");
const cache = `${bundle}.${v8.cachedDataVersionTag()}`;
const isMaking = process.env.WEIR_TEST_WARMS === "yes";

if (isMaking || fs.existsSync(cache)) run();
// Its flags are others.
else require(bundle);

function run() {
  const script = new vm.Script(wrap(fs.readFileSync(bundle, "utf8")), {
    filename: bundle,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(!isMaking && { cachedData: fs.readFileSync(cache) }),
  });
  if (isMaking) {
    process.on("exit", () => {
      // A cache counts only under the flags that it was made under: this one the program has set.
      v8.setFlagsFromString("--no-external-memory-accounted-in-global-limit");
      fs.writeFileSync(`${cache}.${process.pid}`, script.createCachedData());
      fs.renameSync(`${cache}.${process.pid}`, cache);
    });
  }
  script.runInThisContext().call(module.exports, module.exports, require, module, bundle, __dirname);
}
