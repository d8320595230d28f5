/**
 * Whether a document can be read once, as far as a machine can tell: the length of its sentences. Only prose is judged.
 * Code in fences and quotations are left out, code between backquotes is one word, and a link is its text.
 */

/** How long the sentences of a document may be, in words. */
export interface ProseLimits {
  readonly longest: number;
  /** On average, tables left out. */
  readonly mean: number;
}

export interface Sentence {
  readonly text: string;
  readonly words: number;
  /** Counted from 1: where its paragraph, list item or row begins. */
  readonly line: number;
  /** A cell of a table is often a phrase: it does not count towards the mean. */
  readonly isInTable: boolean;
}

interface Block {
  readonly text: string;
  readonly line: number;
  readonly isInTable: boolean;
}

/** The sentences of a Markdown text, headings left out. */
export function sentencesOf(markdown: string): Sentence[] {
  return blocksOf(markdown).flatMap(({ text, line, isInTable }) =>
    plain(text)
      .split(/(?<=[.!?]["')]*)\s+/)
      .map((sentence) => ({ text: sentence, words: countWords(sentence), line, isInTable }))
      .filter(({ words }) => words > 0),
  );
}

/** Words in a sentence of the prose, on average. */
export function meanWords(markdown: string): number {
  const counts = sentencesOf(markdown)
    .filter(({ isInTable }) => !isInTable)
    .map(({ words }) => words);
  return counts.reduce((sum, count) => sum + count, 0) / Math.max(counts.length, 1);
}

/** Judges the sentences of the document at `path`. */
export function proseViolations(path: string, markdown: string, limits: ProseLimits): string[] {
  const found = sentencesOf(markdown)
    .filter(({ words }) => words > limits.longest)
    .map(
      ({ text, words, line }) =>
        `${path}:${line}: a sentence of ${words} words, at most ${limits.longest}: "${text.slice(0, 60)}…"`,
    );
  const mean = meanWords(markdown);
  if (mean > limits.mean) {
    found.push(`${path}: ${mean.toFixed(1)} words in a sentence on average, at most ${limits.mean}`);
  }
  return found;
}

/** Paragraphs, list items and cells of tables. */
function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let lines: string[] = [];
  let start = 0;
  let isCode = false;
  const end = (): void => {
    if (lines.length > 0) blocks.push({ text: lines.join(" "), line: start, isInTable: false });
    lines = [];
  };
  for (const [index, raw] of markdown.split("\n").entries()) {
    const isFence = /^\s*```/.test(raw);
    if (isFence) isCode = !isCode;
    const line = raw.trim();
    if (isFence || isCode || line === "" || /^(?:#+ |>)/.test(line)) {
      end();
      continue;
    }
    if (line.startsWith("|")) {
      end();
      const cells = line.split(/(?<!\\)\|/).filter((cell) => !/^\s*:?-*:?\s*$/.test(cell));
      blocks.push(...cells.map((text) => ({ text: text.trim(), line: index + 1, isInTable: true })));
      continue;
    }
    const item = /^(?:[-*]|\d+\.)\s+/.exec(line);
    if (item !== null) end();
    if (lines.length === 0) start = index + 1;
    lines.push(line.slice(item?.[0].length ?? 0));
  }
  end();
  return blocks;
}

function plain(text: string): string {
  return text
    .replaceAll(/`[^`]*`/g, "code")
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll(/<https?:[^>]*>/g, "address")
    .replaceAll(/\*/g, "");
}

function countWords(sentence: string): number {
  return sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}
