/** The house rules, held against every file that is, or could be, committed. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../steps.ts";
import {
  documentViolations,
  errorsPageViolations,
  readmeViolations,
  settingsPagePath,
  settingsPageViolations,
} from "./documents.ts";
import { fileViolations } from "./rules.ts";

const textFile =
  /\.(?:ts|mjs|js|json|jsonc|sh|md|html|css|svg|ya?ml|service|txt)$|(?:^|\/)(?:Dockerfile|LICENSE|run|\.[a-z]+)$/;

/** Every violation in the project. */
export function projectViolations(): string[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root });
  const paths = listed
    .toString("utf8")
    .split("\0")
    .filter((path) => textFile.test(path) && existsSync(join(root, path)));
  const found = paths.flatMap((path) => {
    const text = readFileSync(join(root, path), "utf8");
    return [...fileViolations(path, text), ...(path.endsWith(".md") ? documentViolations(path, text) : [])];
  });
  return [
    ...found,
    ...readmeViolations(textOf("README.md") ?? "", textOf("docs/benchmarks.md") ?? ""),
    ...errorsPageViolations(textOf("docs/errors.md") ?? ""),
    ...settingsPageViolations(textOf(settingsPagePath)),
  ];
}

function textOf(path: string): string | undefined {
  return existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined;
}
