/** The names of a journal's files. */

const pattern = /^journal-([0-9]{16})\.wal$/;

export function segmentName(number: number): string {
  return `journal-${String(number).padStart(16, "0")}.wal`;
}

/** The numbers of the segments among these files, ascending. */
export function segmentNumbers(names: readonly string[]): number[] {
  return names
    .map((name) => pattern.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .toSorted((a, b) => a - b);
}
