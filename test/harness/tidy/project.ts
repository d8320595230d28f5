/** The house rules, held against every file that is, or could be, committed. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { root } from "../steps.ts";
import { circlesOf } from "./circles.ts";
import { blank } from "./code-text.ts";
import {
  documentViolations,
  errorsPageViolations,
  readmeViolations,
  settingsPagePath,
  settingsPageViolations,
} from "./documents.ts";
import { importsOf } from "./imports.ts";
import { citationViolations, classesOf, fileViolations } from "./rules.ts";

const textFile =
  /\.(?:ts|mjs|js|json|jsonc|sh|md|html|css|svg|ya?ml|service|txt)$|(?:^|\/)(?:Dockerfile|LICENSE|run|\.[a-z]+)$/;

/** Every violation in the project. */
export function projectViolations(): string[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root });
  const paths = listed
    .toString("utf8")
    .split("\0")
    .filter((path) => textFile.test(path) && existsSync(join(root, path)));
  const texts = new Map(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]));
  const pages = paths.filter((path) => path.endsWith(".md"));
  const files = [...texts];
  const source = new Map(files.filter(([path]) => /^src\/.*\.ts$/.test(path)));
  return [
    ...files.flatMap(([path, text]) => fileViolations(path, text)),
    ...files.flatMap(([path, text]) => citationViolations(path, text, pages)),
    ...circleViolations(source),
    ...classViolations(source),
    ...files.flatMap(([path, text]) => (path.endsWith(".md") ? documentViolations(path, text) : [])),
    ...readmeViolations(textOf("README.md") ?? "", textOf("docs/benchmarks.md") ?? ""),
    ...errorsPageViolations(textOf("docs/errors.md") ?? ""),
    ...settingsPageViolations(textOf(settingsPagePath)),
  ];
}

/** Files that import each other, types included. */
export function circleViolations(source: ReadonlyMap<string, string>): string[] {
  const imports = new Map(
    [...source].map(([path, text]) => {
      const targets = importsOf(blank(text, "strings"), blank(text, "code")).filter(({ specifier }) =>
        specifier.startsWith("."),
      );
      return [path, targets.map(({ specifier }) => posix.join(posix.dirname(path), specifier))];
    }),
  );
  return circlesOf(imports).map((circle) => `${circle[0]}: imports itself through others: ${circle.join(", ")}`);
}

/** Classes of one name: a reader, a log line or a search takes one for the other. */
export function classViolations(source: ReadonlyMap<string, string>): string[] {
  const firsts = new Map<string, string>();
  const found: string[] = [];
  for (const [path, text] of source) {
    for (const name of classesOf(text)) {
      const first = firsts.get(name);
      if (first === undefined) firsts.set(name, path);
      else found.push(`${path}: has a class ${name}, like ${first}: one name is one thing`);
    }
  }
  return found;
}

function textOf(path: string): string | undefined {
  return existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined;
}
