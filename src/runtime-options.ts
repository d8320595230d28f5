/**
 * The options that weir's runtime starts with, in the executable and where it is measured. `npm start` has the same in
 * package.json.
 *
 * The old generation begins large enough for what a node holds, so that the first collections of the whole heap come
 * later. Values of 64 KiB are then written and read through another node in two thirds of the time. It costs 3 MiB of
 * an idle node's memory.
 *
 * By default the runtime opens a debugger when it gets SIGUSR1.
 */
export const runtimeOptions: readonly string[] = ["--initial-old-space-size=128", "--disable-sigusr1"];
