/** The commit that is built, for `weir --version`. A build without the history, as in the Dockerfile, is told it. */

import { execFileSync } from "node:child_process";

/** The first twelve digits, with `.dirty` behind them where files differ from it; undefined when nothing tells. */
export function commitOf(root: string): string | undefined {
  const told = process.env["WEIR_COMMIT"];
  if (told) {
    if (!/^[0-9A-Za-z.-]{1,64}$/.test(told)) throw new Error("WEIR_COMMIT may hold letters, digits, dots and hyphens");
    return told;
  }
  try {
    const git = (...args: string[]): string =>
      execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    const commit = git("rev-parse", "--short=12", "HEAD");
    return git("status", "--porcelain") === "" ? commit : `${commit}.dirty`;
  } catch {
    return undefined;
  }
}
