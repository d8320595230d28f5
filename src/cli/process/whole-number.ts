/** Options that take a whole number within bounds. */

import { InvalidArgumentError } from "commander";

/** A parser for commander, which shows its error to the user. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}
