/** Writes as the route for clients would make them of what a test says. */

import { hash } from "node:crypto";
import { noHeaders } from "../../src/core/entry.ts";
import type { WriteOperation } from "../../src/core/operation.ts";

type More = Partial<Pick<WriteOperation, "headers" | "precondition" | "durability" | "holder">>;

const plain = { headers: noHeaders, precondition: undefined, durability: "replicated" } as const;

export function putOf(key: string, value: Buffer, more: More = {}): WriteOperation {
  return { key, value, md5: hash("md5", value), ...plain, ...more };
}

export function deleteOf(key: string, more: More = {}): WriteOperation {
  return { key, value: undefined, md5: "", ...plain, ...more };
}
