/**
 * Has a test's report show both errors where a disposal has failed after a failure. Node's report shows an error's
 * cause, and not what a `SuppressedError` carries.
 */

/** Characters of the second error: it may quote what all processes have printed. */
const shownLength = 2_000;

Object.defineProperty(SuppressedError.prototype, "cause", {
  get(this: SuppressedError) {
    const later = String(this.error).slice(0, shownLength);
    return new Error(`the disposal failed as well: ${later}`, { cause: this.suppressed });
  },
});
