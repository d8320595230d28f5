/**
 * The program of a thread that runs worlds of the simulator, one at a time; see test/simulation/worlds.ts. From packed
 * modules a world may have a planted bug: then the modules are loaded anew, and one of them from another function.
 * What the engine has compiled and learned of the others stays, which is most of what a world costs in a new process.
 */

"use strict";

const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { parentPort } = require("node:worker_threads");

const root = path.join(__dirname, "..", "..");
const packed = process.env.WEIR_TEST_PACK === undefined ? undefined : require("./run-packed.cjs");
let isPlanted = false;

async function load(name) {
  return packed ? packed.load(name) : await import(pathToFileURL(path.join(root, name)).href);
}

async function runWorld({ seed, faults, planted, ...changes }) {
  if (isPlanted || planted !== undefined) packed.renew(planted ?? {});
  isPlanted = planted !== undefined;
  const { framesOfWorlds, runScenario } = await load("test/simulation/scenario.ts");
  const { planFor } = await load("test/simulation/scenario-plan.ts");
  const { startMember } = await load("test/simulation/sim-member.ts");
  Error.stackTraceLimit = framesOfWorlds;
  return await runScenario({ ...planFor(seed, faults), ...changes }, startMember);
}

// A rejection that nobody handles ends the thread.
parentPort.on("message", (request) => void runWorld(request).then((result) => parentPort.postMessage(result)));
