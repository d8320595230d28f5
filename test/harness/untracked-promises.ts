/**
 * Loaded before the files of a whole run. Node's test runner follows each promise of its thread, to tell which test an
 * error belongs to that nobody handled. Following them takes a quarter of a simulation's processor time, and of that of
 * the folder store's listings. Without it such an error still fails the run: it counts as the file's.
 */

import asyncHooks from "node:async_hooks";

const { createHook } = asyncHooks;

// The runner takes the function from this very object when it is loaded, which is later.
asyncHooks.createHook = (callbacks) => createHook({ ...callbacks, trackPromises: false });
