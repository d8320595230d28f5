/** One wrong file on one host ends no other node: a member leaves only when most members ask (V55). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isOperatingError } from "../../../../src/base/errors.ts";
import type { ViewMember } from "../../../../src/core/view.ts";
import { LeaveRequests } from "../../../../src/member/views/leave-requests.ts";
import { ManualClock } from "../../../harness/manual-clock.ts";
import { RecordedLog } from "../../../harness/recorded-log.ts";
import { memberIn, memberOf, viewOf } from "../../../harness/view-fixtures.ts";

const [a, b, c, d] = ["a", "b", "c", "d"].map((id) => memberOf(id)) as [ViewMember, ViewMember, ViewMember, ViewMember];

/** Node a, in a view of these members. */
function trialOf(...members: ViewMember[]) {
  const clock = new ManualClock();
  const log = new RecordedLog();
  let agreed = 0;
  const requests = new LeaveRequests({ membership: memberIn(viewOf(4, members), a), clock, log }, () => {
    agreed += 1;
  });
  /** Whether node a leaves. */
  const ask = (from: ViewMember): boolean => {
    const before = agreed;
    try {
      requests.take(from);
    } catch (error) {
      assert(isOperatingError(error, "not_ready"));
      assert.equal(agreed, before);
      return false;
    }
    assert.equal(agreed, before + 1);
    return true;
  };
  return { clock, log, ask };
}

describe("requests to leave", () => {
  it("are followed when more than half of the members ask", () => {
    const { ask, log } = trialOf(a, b, c);
    assert.deepEqual([ask(b), ask(b), ask(c), ask(b)], [false, false, true, true]);
    assert.deepEqual(log.messages("warn"), ["most nodes' configurations do not name this node: it leaves"]);
  });

  it("are not followed when half ask, or one of two", () => {
    const four = trialOf(a, b, c, d);
    assert.deepEqual([four.ask(b), four.ask(c), four.ask(d)], [false, false, true]);
    const two = trialOf(a, b);
    assert.equal(two.ask(b), false);
  });

  it("count only while they are repeated", () => {
    const { ask, clock } = trialOf(a, b, c);
    assert.equal(ask(b), false);
    clock.advance(4_999);
    assert.equal(ask(c), true);
    clock.advance(1);
    assert.equal(ask(c), false, "b's configuration names this node again");
  });

  it("are named in the log once they have stood for a while, and not again", () => {
    const { ask, clock, log } = trialOf(a, b, c);
    for (let i = 0; i < 50; i += 1) {
      ask(b);
      clock.advance(100);
    }
    assert.deepEqual(log.lines, [
      {
        level: "warn",
        message: "nodes whose configuration does not name this node ask it to leave; it stays, as most do not",
        fields: { asking: ["b"], members: 3 },
      },
    ]);
  });
});
