/** The member under test, as the simulated world starts it. */

import { Member } from "../../src/member/member.ts";
import type { MemberFactory } from "./sim-cluster.ts";

export const startMember: MemberFactory = (parts) => new Member(parts);
