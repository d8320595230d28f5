/** The code under test, as the simulated world starts it. */

import { Participant } from "../../src/member/participant.ts";
import type { MemberFactory } from "./sim-cluster.ts";

export const startMember: MemberFactory = (parts) => new Participant(parts);
