/**
 * What is wrong with a cluster.json, in words that let the reader put it right. Each mistake has the path of its
 * setting, what the setting is, and what it would have to be.
 */

import type { z } from "zod";
import { listSettings } from "./settings.ts";

export interface Mistake {
  /** Dotted, with indexes: `nodes[1].url`. Empty for the file as a whole. */
  readonly path: string;
  readonly text: string;
}

/** A name is taken for a slip of a setting's name if it differs by at most this many edits. */
const maxSlips = 2;

/** What the schema found, as mistakes. `issues` must come from a parse with `reportInput`. */
export function schemaMistakes(issues: readonly z.core.$ZodIssue[]): Mistake[] {
  return issues.filter(isLastBound).flatMap((issue) => {
    const path = formatPath(issue.path);
    if (issue.code === "invalid_union") {
      const fitting = issue.errors.find((errors) => !errors.some(isOfWhole));
      if (fitting !== undefined) {
        return schemaMistakes(fitting.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })));
      }
    }
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({ path: join(path, key), text: `no such setting${suggestion(path, key)}` }));
    }
    return [{ path, text: issueText(issue, path) }];
  });
}

/** False for the general bound of whole numbers when the setting's own bound is reported, too. */
function isLastBound(issue: z.core.$ZodIssue, index: number, issues: readonly z.core.$ZodIssue[]): boolean {
  if (issue.code !== "too_big" && issue.code !== "too_small") return true;
  const path = formatPath(issue.path);
  return !issues.some((other, at) => at > index && other.code === issue.code && formatPath(other.path) === path);
}

/** Whether the issue says that the value is not even of the right kind. */
function isOfWhole(issue: z.core.$ZodIssue): boolean {
  return issue.path.length === 0 && issue.code !== "unrecognized_keys";
}

/** One message for all of them, in the order of the file's settings. */
export function mistakesMessage(fileName: string, mistakes: readonly Mistake[]): string {
  const count = mistakes.length === 1 ? "a mistake" : `${mistakes.length} mistakes`;
  const lines = mistakes.map(({ path, text }) => `  ${path === "" ? "(file)" : path}: ${text}`);
  return `${fileName} has ${count}:\n${lines.join("\n")}`;
}

function issueText(issue: z.core.$ZodIssue, path: string): string {
  if (issue.input === undefined && issue.code !== "custom") return `is missing${hint(path)}`;
  switch (issue.code) {
    case "invalid_type":
      return `is ${shown(issue.input)}, must be ${withArticle(issue.expected)}${hint(path)}`;
    case "too_small":
      return `is too ${issue.origin === "string" || issue.origin === "array" ? "short" : "small"}: at least ${issue.minimum}${hint(path)}`;
    case "too_big":
      return `is too ${issue.origin === "string" || issue.origin === "array" ? "long" : "large"}: at most ${issue.maximum}${hint(path)}`;
    case "invalid_value":
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}${hint(path)}`;
    case "invalid_union":
      return path === "store" || path === "store.type"
        ? `must ${path === "store" ? 'have a "type" of' : "be"} "s3", "azure" or "file"`
        : `is ${shown(issue.input)}${alternatives(issue)}${hint(path)}`;
    default:
      return issue.message;
  }
}

/** The alternatives, if each can be named in a word. */
function alternatives({ errors }: z.core.$ZodIssueInvalidUnion): string {
  const words = errors.map(([first]) => {
    if (first?.code === "invalid_value") return first.values.map((value) => JSON.stringify(value)).join(" or ");
    return first?.code === "invalid_type" ? withArticle(first.expected) : undefined;
  });
  return words.includes(undefined) ? "" : `, must be ${words.join(" or ")}`;
}

/** A value for people. Texts are left out, because one may be a secret in the wrong place. */
function shown(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return "text";
  if (typeof value === "object") return "an object";
  return JSON.stringify(value);
}

const typeNames: Readonly<Record<string, string>> = {
  string: "text",
  int: "a whole number",
  number: "a number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
};

function withArticle(type: string): string {
  return typeNames[type] ?? type;
}

/** The setting's own description, in parentheses. */
function hint(path: string): string {
  const general = path.replaceAll(/\[\d+\]/g, "[]");
  const description = listSettings().find((setting) => setting.path === general)?.description;
  return description === undefined || description === "" ? "" : ` (${description.replace(/\.$/, "")})`;
}

function suggestion(parent: string, key: string): string {
  const prefix = parent === "" ? "" : `${parent.replaceAll(/\[\d+\]/g, "[]")}.`;
  const siblings = new Set<string>();
  for (const setting of listSettings()) {
    const name = setting.path.startsWith(prefix) ? setting.path.slice(prefix.length).split(/[.[]/)[0] : undefined;
    if (name !== undefined && name !== "") siblings.add(name);
  }
  // It is a setting, but of another kind of store.
  if (siblings.has(key)) return " with this type";
  const nearest = [...siblings]
    .map((name) => ({ name, distance: editDistance(name.toLowerCase(), key.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  if (nearest !== undefined && nearest.distance <= maxSlips) return `; did you mean ${nearest.name}?`;
  return siblings.size === 0 ? "" : `; there is ${[...siblings].join(", ")}`;
}

/** Levenshtein's distance, row by row. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min((previous[j] as number) + 1, (row[j - 1] as number) + 1, substitution));
    }
    previous = row;
  }
  return previous[b.length] as number;
}

export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => join(text, part), "");
}

function join(path: string, part: PropertyKey): string {
  if (typeof part === "number") return `${path}[${part}]`;
  return path === "" ? String(part) : `${path}.${String(part)}`;
}
