/**
 * Attacks a cluster by greedy tokens, one thing after the other: `npm run attacks`. Prints what another token notices:
 * the times of its requests before and during each attack. It exits with 1 if one of them failed.
 *
 * Run it on a quiet machine. Three nodes, the attacker and the measured clients share its processors. Where these are
 * few, most of what is measured is how the nodes wait for each other's processor. With `--apart` one node has the first
 * processor to itself, as on a host of its own, and all else has the others.
 */

import { type AttackName, attackNames } from "../test/harness/attacks/attacker.ts";
import { type AttackResult, runAttacks, type Times } from "../test/harness/attacks/attacks.ts";
import { scriptCommand, usage } from "../test/harness/script-command.ts";

const options = scriptCommand("attacks", "Measures what one token notices of attacks by others.")
  .option("--seconds <number>", "of each measurement, of which there are two for an attack", "5")
  .option("--apart", "one node, on a processor of its own")
  .option("--only <names>", "these attacks, separated by commas", attackNames.join(","))
  .parse()
  .opts<{ seconds: string; apart?: true; only: string }>();

function chosen(): AttackName[] {
  return options.only.split(",").map((text) => {
    const name = attackNames.find((each) => each === text);
    return name ?? usage(`there is no attack "${text}"; there are ${attackNames.join(", ")}`);
  });
}

function seconds(): number {
  const value = Number(options.seconds);
  return value > 0 && value <= 600 ? value : usage("--seconds must be a number above 0, at most 600");
}

function columns({ p50Ms, p99Ms }: Times): string {
  return `${p50Ms.toFixed(1).padStart(8)}${p99Ms.toFixed(1).padStart(8)}`;
}

let failures = 0;

function print({ name, before, during }: AttackResult): void {
  const failed = [...during.failed].map(([status, count]) => `${count} of ${status}`).join(", ");
  failures += during.failed.size;
  const ratio = (during.p99Ms / before.p99Ms).toFixed(2);
  const figures = `${columns(before)}${columns(during)}${ratio.padStart(8)}`;
  console.log(`${name.padEnd(20)}${figures}  ${failed || "none"} of ${during.requests}`);
}

console.log(`${"milliseconds".padEnd(20)}     p50     p99  during     p99   ratio  failed`);
await runAttacks(chosen(), { seconds: seconds(), isApart: options.apart === true }, print);
process.exitCode = failures === 0 ? 0 : 1;
