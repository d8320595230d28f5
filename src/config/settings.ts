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
}

/** The part of JSON Schema that zod makes of {@link configSchema}. */
interface SchemaNode {
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
    if (!isGroup && !settings.has(childPath)) {
      settings.set(childPath, {
        path: childPath,
        description: child.description ?? "",
        fallback: child.computed ?? (child.default === undefined ? undefined : JSON.stringify(child.default)),
        required: node.required?.includes(name) ?? false,
      });
    }
    collect(child, childPath, settings);
  }
}

/** The settings as a Markdown table, for docs/configuration.md. */
export function settingsTable(): string {
  const rows = listSettings().map(({ path, description, fallback, required }) => {
    const shown = required
      ? "required"
      : fallback === undefined
        ? ""
        : /^["\d]|^true|^false/.test(fallback)
          ? `\`${fallback}\``
          : fallback;
    return `| \`${path}\` | ${shown} | ${description.replaceAll("|", "\\|")} |`;
  });
  return ["| setting | default | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}
