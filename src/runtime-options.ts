/**
 * How weir's runtime is started, in the executable and where it is measured; `npm start` has the same in package.json. The old generation begins large enough for what a node holds, so that the
 * first collections of the whole heap come later: values of 64 KiB are written and read through another node in two thirds of the time, for 3 MiB of an idle node's memory.
 */
export const runtimeOptions: readonly string[] = ["--initial-old-space-size=128"];
