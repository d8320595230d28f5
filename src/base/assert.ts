/**
 * Assertions: what the author believes, checked in production too. A failed assertion is a bug in weir. It is never
 * caught: the process stops rather than go on with a state that nobody has thought about.
 */

export class AssertionError extends Error {
  override name = "AssertionError";
}

/** Throws when `condition` is false. The message is constant, so that a passing check allocates nothing. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The last arm of a `switch` over a closed set: a type error when a case is missing, a crash if one slips in. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected value: ${JSON.stringify(value)}`);
}
