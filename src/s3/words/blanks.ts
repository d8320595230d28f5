/** Blanks around the values of headers: spaces and tabs alone. JavaScript's own also takes bytes of other letters. */

const blanks = /[ \t]+/g;

/** The value with one space for each row of blanks, and none at its ends. So it goes into a signature. */
export function collapseBlanks(value: string): string {
  if (!value.includes(" ") && !value.includes("\t")) return value;
  const collapsed = value.replace(blanks, " ");
  return collapsed.slice(collapsed.startsWith(" ") ? 1 : 0, collapsed.endsWith(" ") ? -1 : undefined);
}

/** The value without the blanks at its ends. */
export function trimBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value, start)) start++;
  while (start < end && isBlank(value, end - 1)) end--;
  return value.slice(start, end);
}

function isBlank(value: string, at: number): boolean {
  return value[at] === " " || value[at] === "\t";
}
