/** The code under test, as the simulated world starts it. */

import { sleep } from "../../src/base/clock.ts";
import { Host } from "../../src/member/host.ts";
import { Participant } from "../../src/member/participant.ts";
import type { HostedFactory, MemberFactory } from "./sim-cluster.ts";

export const startMember: MemberFactory = (parts) => new Participant(parts);

/** Short, so that a world sees the host return. */
const pauses = { firstMs: 1_500, lastMs: 6_000 };
const pollMs = 20;

/** Members that go on in place of their process ending when a journal fails. */
export const startHost: HostedFactory = (parts) => {
  const host = new Host({ ...parts, pauses });
  return {
    async start() {
      await host.open();
      const running = host.run();
      // Whoever waits for the join hears of a failure before it.
      let hasFailed = false;
      const failed = running.catch((error: unknown) => {
        hasFailed = true;
        throw error;
      });
      const joined = async (): Promise<void> => {
        while (!host.joined && !hasFailed) await sleep(parts.clock, pollMs);
      };
      await Promise.race([failed, joined()]);
    },
    stop: () => host.stop(),
    leave: () => host.leave(),
    setNodes: (nodes) => host.setNodes(nodes),
    readiness: () => host.readiness(),
    status: () => host.status(),
    servesNow: (key) => host.servesNow(key),
    gauges: () => host.gauges(),
    get operations() {
      return host.operations;
    },
  };
};
