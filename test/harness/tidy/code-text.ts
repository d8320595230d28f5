/**
 * TypeScript with its comments, or its comments and strings, blanked out, so that rules can be searched for in code
 * alone. Every character keeps its place. A scanner, not a parser: what it takes for a regular expression is what
 * stands where an operand must.
 */

/** What is left in the text: `code` alone, or `strings` too. */
type Kept = "code" | "strings";

/** After one of these (or at the start) a slash begins a regular expression; after anything else it divides. */
const beforeOperand = /(?:[(,=:[!&|?{};<>+\-*%~^]|\b(?:return|typeof|case|in|of|await|yield|throw))\s*$/;

/** How far back to look for what precedes a slash: longer than the longest keyword, white space included. */
const lookBack = 40;

export function blank(text: string, kept: Kept): string {
  let out = "";
  let at = 0;
  // Open `${` of templates: the depth of braces at which each ends.
  const templates: number[] = [];
  let depth = 0;

  const take = (length: number, isShown: boolean): void => {
    const piece = text.slice(at, at + length);
    out += isShown ? piece : piece.replace(/[^\n]/g, " ");
    at += length;
  };
  const takeTemplate = (): void => {
    // From a backtick or the end of a substitution to the next substitution or the closing backtick.
    const match = /^[`}](?:\\[\s\S]|(?!\$\{)[^`\\])*(?:`|\$\{|$)/.exec(text.slice(at))?.[0] ?? text.slice(at, at + 1);
    if (match.endsWith("${")) templates.push(depth);
    take(match.length, kept === "strings");
  };

  while (at < text.length) {
    const rest = text.slice(at);
    const char = rest[0] as string;
    const comment = /^\/\/[^\n]*|^\/\*[\s\S]*?\*\//.exec(rest)?.[0];
    if (comment !== undefined) {
      take(comment.length, false);
    } else if (char === '"' || char === "'") {
      take((/^(["'])(?:\\[\s\S]|(?!\1)[^\\\n])*\1?/.exec(rest) as RegExpExecArray)[0].length, kept === "strings");
    } else if (char === "`") {
      takeTemplate();
    } else if (char === "}" && templates.at(-1) === depth) {
      templates.pop();
      takeTemplate();
    } else if (char === "/" && isOperandNext(out)) {
      const regexp = /^\/(?:\\.|\[(?:\\.|[^\]\n])*\]|[^/\\\n[])+\/[a-z]*/.exec(rest)?.[0] ?? char;
      take(regexp.length, kept === "strings");
    } else {
      if (char === "{") depth++;
      if (char === "}") depth--;
      take(1, true);
    }
  }
  return out;
}

function isOperandNext(before: string): boolean {
  return before.trim() === "" || beforeOperand.test(before.slice(-lookBack));
}

/** The number of the line, from 1, on which the character at `index` is. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
