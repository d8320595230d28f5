/**
 * The settings as a list, made from the schema. docs/configuration.md, the error messages and their "did you mean" use
 * it.
 */

import { z } from "zod";
import { configSchema } from "./schema.ts";

export interface Setting {
  /** Dotted, with `[]` for each element of a list: `nodes[].id`. */
  readonly path: string;
  /** What it is, its unit, and the reason for its default. */
  readonly description: string;
  /** The default as people write it. Undefined when there is none. */
  readonly fallback: string | undefined;
  readonly required: boolean;
  /** The values that the schema takes, with their unit. Empty where only the description tells them. */
  readonly allowed: string;
}

/** The part of JSON Schema that zod makes of {@link configSchema}. */
interface SchemaNode {
  readonly type?: string;
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly description?: string;
  readonly computed?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly oneOf?: readonly SchemaNode[];
  readonly anyOf?: readonly SchemaNode[];
}

/** Every setting in the order of the schema. Groups are left out; the kinds of store come one after the other. */
export function listSettings(): readonly Setting[] {
  const settings = new Map<string, Setting>();
  collect(z.toJSONSchema(configSchema, { io: "input" }) as SchemaNode, "", settings);
  return [...settings.values()];
}

function collect(node: SchemaNode, path: string, settings: Map<string, Setting>): void {
  for (const branch of node.oneOf ?? node.anyOf ?? []) collect(branch, path, settings);
  if (node.items !== undefined) collect(node.items, `${path}[]`, settings);
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const childPath = path === "" ? name : `${path}.${name}`;
    const isGroup =
      child.properties !== undefined || child.items?.properties !== undefined || child.oneOf !== undefined;
    const known = settings.get(childPath);
    const allowed = allowedText(child, childPath);
    if (known !== undefined) {
      settings.set(childPath, { ...known, allowed: ofKind(known.allowed, allowed, node) });
    } else if (!isGroup) {
      settings.set(childPath, {
        path: childPath,
        allowed,
        description: child.description ?? "",
        fallback: child.computed ?? (child.default === undefined ? undefined : JSON.stringify(child.default)),
        required: node.required?.includes(name) ?? false,
      });
    }
    collect(child, childPath, settings);
  }
}

/** What two kinds of store take under one name. */
function ofKind(others: string, allowed: string, { properties }: SchemaNode): string {
  const kind = properties?.["type"]?.const;
  if (kind === undefined || allowed === others) return others;
  return allowed === codeOf(kind) ? `${others}, ${allowed}` : `${others}; for ${codeOf(kind)} ${allowed}`;
}

function allowedText(node: SchemaNode, path: string): string {
  if (node.const !== undefined) return codeOf(node.const);
  if (node.enum !== undefined) return node.enum.map(codeOf).join(", ");
  switch (node.type) {
    case "boolean":
      return "`true`, `false`";
    case "integer":
    case "number":
      return rangeText(node.minimum, node.maximum, unitOf(path));
    case "string":
      return node.maxLength === undefined ? "" : rangeText(node.minLength, node.maxLength, "characters");
    case "array": {
      const each = node.items === undefined ? "" : allowedText(node.items, path);
      if (each !== "") return `some of ${each}`;
      return node.maxItems === undefined ? "" : `${node.maxItems} at most`;
    }
    default:
      return "";
  }
}

function rangeText(minimum = 0, maximum = Number.MAX_SAFE_INTEGER, unit: string): string {
  const [least, most] = [minimum, maximum].map((bound) => bound.toLocaleString("en-US"));
  // What the schema does not bound is bounded by what a number can be.
  if (maximum === Number.MAX_SAFE_INTEGER) return `${least} or more${unit === "" ? "" : `, in ${unit}`}`;
  return `${least} to ${most}${unit === "" ? "" : ` ${unit}`}`;
}

/** By the name's end. */
function unitOf(path: string): string {
  if (path.endsWith("BytesPerSecond")) return "bytes/s";
  if (path.endsWith("Bytes")) return "bytes";
  if (path.endsWith("Seconds")) return "s";
  if (path.endsWith("Days")) return "days";
  return path.endsWith("Ms") ? "ms" : "";
}

function codeOf(text: string): string {
  return `\`"${text}"\``;
}

/** The settings as a Markdown table, for docs/configuration.md. */
export function settingsTable(): string {
  const rows = listSettings().map(({ path, description, fallback, required, allowed }) => {
    const shown = required
      ? "required"
      : fallback === undefined
        ? ""
        : /^["\d]|^true|^false/.test(fallback)
          ? `\`${fallback}\``
          : fallback;
    return `| \`${path}\` | ${shown} | ${allowed} | ${description.replaceAll("|", "\\|")} |`;
  });
  return ["| setting | default | allowed | meaning |", "| --- | --- | --- | --- |", ...rows].join("\n");
}
