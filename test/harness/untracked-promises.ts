/**
 * Loaded before a file of simulations. Node's test runner follows each promise of its thread, to tell which test an
 * error belongs to that nobody handled. A world consists of promises: following them takes a quarter of the processor
 * time. Without it such an error still fails the run: it counts as the file's.
 */

import asyncHooks from "node:async_hooks";

const { createHook } = asyncHooks;

// The runner takes the function from this very object when it is loaded, which is later.
asyncHooks.createHook = (callbacks) => createHook({ ...callbacks, trackPromises: false });
