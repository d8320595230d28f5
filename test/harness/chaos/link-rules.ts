/**
 * What befalls the packets on their way to one end of a network, as commands for `tc -batch`. Each rule is a class of
 * its own on the device through which that end is reached, with a filter for the sender: so a cut can be one-way, and
 * neither side is told. `netem` is used where the kernel has it; without it a link is lossy by dropping each sixteenth
 * packet of a connection (by its IP id), and slow by its rate and a short queue.
 */

import { unreachable } from "../../../src/base/assert.ts";

export type LinkEffect = "cut" | "lossy" | "slow";

/** Packets from the address `from`, or those of them alone that have `port` at either end. */
export interface PacketRule {
  readonly from: string;
  readonly effect: LinkEffect;
  readonly port?: { readonly side: "source" | "destination"; readonly number: number };
}

/** Fast enough never to be noticed. */
const freeRate = "rate 10gbit quantum 60000";
/** Less than a busy cluster has to say, so that its queue fills: 32 KiB of it delay a packet by a second. */
const slowRate = "rate 256kbit quantum 3000";

/** Commands after which `device` sends by these rules, and by no others that it had. */
export function shapingCommands(device: string, rules: readonly PacketRule[], hasNetem: boolean): string[] {
  if (rules.length === 0) return [];
  const commands = [
    `qdisc add dev ${device} root handle 1: htb default 1`,
    `class add dev ${device} parent 1: classid 1:1 htb ${freeRate}`,
  ];
  for (const [index, rule] of rules.entries()) {
    const minor = index + 2;
    const rate = rule.effect === "slow" ? slowRate : freeRate;
    commands.push(
      `class add dev ${device} parent 1: classid 1:${minor} htb ${rate}`,
      `qdisc add dev ${device} parent 1:${minor} ${queueOf(rule.effect, hasNetem)}`,
      `filter add dev ${device} parent 1: protocol ip prio ${minor} u32 ${matchOf(rule, hasNetem)} flowid 1:${minor}`,
    );
  }
  return commands;
}

/** A queue that holds no packet drops each. */
function queueOf(effect: LinkEffect, hasNetem: boolean): string {
  switch (effect) {
    case "cut":
      return "bfifo limit 1";
    case "lossy":
      return hasNetem ? "netem loss 6%" : "bfifo limit 1";
    case "slow":
      return hasNetem ? "netem delay 60ms 30ms limit 200" : "bfifo limit 32768";
    default:
      return unreachable(effect);
  }
}

function matchOf({ from, effect, port }: PacketRule, hasNetem: boolean): string {
  const parts = [`match ip src ${from}/32`];
  if (port !== undefined) parts.push(`match ip ${port.side === "source" ? "sport" : "dport"} ${port.number} 0xffff`);
  if (effect === "lossy" && !hasNetem) parts.push("match u16 0x0000 0x000f at 4");
  return parts.join(" ");
}
