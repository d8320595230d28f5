/** Prometheus' own judge of metrics and rules, where it is installed (Debian's package `prometheus`). */

import { spawnSync } from "node:child_process";

const program = process.env["PROMTOOL"] ?? "promtool";

export const noPromtool: string | false =
  spawnSync(program, ["--version"]).status === 0 ? false : "promtool is not installed";

/** What it says, and whether it finds all well. */
export function promtool(args: readonly string[], input = ""): { readonly ok: boolean; readonly text: string } {
  const { status, stdout, stderr } = spawnSync(program, [...args], { input, encoding: "utf8" });
  return { ok: status === 0, text: `${stdout}${stderr}` };
}
