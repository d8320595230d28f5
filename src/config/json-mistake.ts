/**
 * Finds where a text stops being JSON. The runtime's own message quotes the text around the mistake, which may be a
 * secret, and leaves out the line. This one gives line and column, and what was expected there.
 */

/** JSON forbids control characters in strings. This rejects those that people type. */
const token =
  /[ \t\r\n]*(?:("(?:[^"\\\n\r\t]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)|([{}[\],:]))/y;

/** What may come next. */
type State = "value" | "value or ]" | "key" | "key or }" | "colon" | "comma";

const expectations: Readonly<Record<State, string>> = {
  value: "a value",
  "value or ]": "a value or ]",
  key: "a name in double quotes (a comma must not come before })",
  "key or }": "a name in double quotes or }",
  colon: "a colon",
  comma: "a comma or the end of the list or object",
};

/** The first mistake in `text`, as `line 3, column 5: expected a colon`. Undefined if it is JSON. */
export function jsonMistake(text: string): string | undefined {
  const open: ("{" | "[")[] = [];
  let state: State | "end" = "value";
  let at = 0;
  for (;;) {
    token.lastIndex = at;
    const match = token.exec(text);
    if (state === "end")
      return text.slice(at).trim() === "" ? undefined : place(text, at, "expected the end of the file");
    if (match === null) return place(text, at, `expected ${expectations[state]}`);
    const next = follow(state, open, match[1] !== undefined, match[1] ?? match[2] ?? (match[3] as string));
    if (next === undefined) return place(text, at, `expected ${expectations[state]}`);
    state = next;
    at = token.lastIndex;
  }
}

/** A name that stands twice in one object. The runtime ignores that in silence. */
export interface RepeatedName {
  /** From the top of the file: names, and indexes in lists. */
  readonly path: readonly (string | number)[];
  /** The line of the second occurrence. */
  readonly line: number;
}

/** The repeated names in `text`, which must be JSON. */
export function repeatedNames(text: string): RepeatedName[] {
  const found: RepeatedName[] = [];
  /**
   * The objects and lists that are open, outermost first. For each: an object's names so far (a list has none), and
   * where in it the search is.
   */
  const open: { readonly names: Set<string> | undefined; at: string | number }[] = [];
  let isName = false;
  token.lastIndex = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [, string, , mark] = match;
    const inner = open.at(-1);
    if (mark === "{" || mark === "[") {
      open.push(mark === "{" ? { names: new Set(), at: "" } : { names: undefined, at: 0 });
      isName = mark === "{";
    } else if (mark === "}" || mark === "]") {
      open.pop();
    } else if (mark === ",") {
      if (typeof inner?.at === "number") inner.at++;
      isName = inner?.names !== undefined;
    } else if (string !== undefined && isName && inner?.names !== undefined) {
      isName = false;
      inner.at = JSON.parse(string) as string;
      if (inner.names.has(inner.at)) {
        found.push({ path: open.map(({ at }) => at), line: text.slice(0, token.lastIndex).split("\n").length });
      }
      inner.names.add(inner.at);
    }
  }
  return found;
}

/** The state after `piece`. Undefined if the piece can't stand here. Keeps `open` up to date. */
function follow(state: State, open: ("{" | "[")[], isString: boolean, piece: string): State | "end" | undefined {
  const closed = (): State | "end" => (open.length === 0 ? "end" : "comma");
  switch (state) {
    case "key":
    case "key or }":
      if (isString) return "colon";
      if (piece !== "}" || state === "key") return undefined;
      open.pop();
      return closed();
    case "colon":
      return piece === ":" ? "value" : undefined;
    case "comma":
      if (piece === ",") return open.at(-1) === "{" ? "key" : "value";
      if (piece !== (open.at(-1) === "{" ? "}" : "]")) return undefined;
      open.pop();
      return closed();
    default:
      if (piece === "{" || piece === "[") {
        open.push(piece);
        return piece === "{" ? "key or }" : "value or ]";
      }
      if (piece === "]" && state === "value or ]") {
        open.pop();
        return closed();
      }
      return /^[\]},:]$/.test(piece) ? undefined : closed();
  }
}

function place(text: string, at: number, what: string): string {
  const index = at + (/^[ \t\r\n]*/.exec(text.slice(at)) as RegExpExecArray)[0].length;
  const lines = text.slice(0, index).split("\n");
  return `line ${lines.length}, column ${(lines.at(-1) as string).length + 1}: ${what}`;
}
