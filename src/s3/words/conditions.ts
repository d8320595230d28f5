/** The conditions of a request, in the form of HTTP: S3 also takes entity tags without their quotes. */

import type { IncomingHttpHeaders } from "node:http";
import type { ValueInfo } from "../../core/entry.ts";
import type { Precondition } from "../../core/precondition.ts";
import { hasReadConditions, judgeRead, type ReadDecision, writePrecondition } from "../../http/routes/preconditions.ts";
import { trimBlanks } from "./blanks.ts";
import { tagOf } from "./etag.ts";

type Headers = Readonly<Record<string, string | undefined>>;

const names = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"] as const;
const sourcePrefix = "x-amz-copy-source-";

function conditionsOf(headers: Headers): IncomingHttpHeaders {
  return conditionsIn(headers, "");
}

function conditionsIn(headers: Headers, prefix: string): IncomingHttpHeaders {
  const found: IncomingHttpHeaders = {};
  for (const name of names) {
    const value = headers[prefix + name];
    if (value !== undefined) found[name] = name.endsWith("match") ? tagsIn(value) : value;
  }
  return found;
}

/** The tags as the cluster has them. */
function tagsIn(text: string): string {
  return quoted(text).replace(/"([^"]*)"/g, (_, etag: string) => `"${tagOf(etag)}"`);
}

function quoted(tags: string): string {
  const trimmed = trimBlanks(tags);
  if (trimmed.includes('"') || trimmed === "*") return trimmed;
  return trimmed.split(",").map((tag) => `"${trimBlanks(tag)}"`).join(", "); // biome-ignore format: one line
}

type Judged = Pick<ValueInfo, "md5" | "modifiedMs">;

/** Judges a read, as HTTP says. */
export function judge(headers: Headers, info: Judged): ReadDecision {
  return hasReadConditions(headers) ? judgeRead(conditionsOf(headers), info) : "serve";
}

/** The condition of a write, if it has one. */
export function writeCondition(headers: Headers): Precondition | undefined {
  return hasReadConditions(headers) ? writePrecondition(conditionsOf(headers)) : undefined;
}

/** Whether the source of a copy meets its conditions. One that was not modified does not, like one that is another. */
export function isSourceMet(headers: Headers, info: Judged): boolean {
  const conditions = conditionsIn(headers, sourcePrefix);
  return !hasReadConditions(conditions) || judgeRead(conditions, info) === "serve";
}
