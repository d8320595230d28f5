/**
 * Reads of the store that are answered late, and keys that swing meanwhile: to another primary, which writes, and back.
 * What was read before is of a state that nobody may see any more, by whoever asks again.
 */

import type { FaultField } from "./fault-field.ts";
import type { MemberFaults } from "./member-faults.ts";
import { isSettled } from "./sim-cluster.ts";

/** What does not happen within this does not happen any more. */
const patienceMs = 6_000;
/** For the new primary: it writes, and the store has that. */
const maxStayMs = 1_000;
/** Until the answer comes, when the key is back. */
const maxLateMs = 300;

export class LateReads {
  readonly #field: FaultField;
  readonly #members: MemberFaults;

  constructor(field: FaultField, members: MemberFaults) {
    this.#field = field;
    this.#members = members;
  }

  /** One swing after the other, each on a settled cluster. */
  start(): void {
    this.#field.inTurns(patienceMs, (over) => this.#swing(over));
  }

  /**
   * A host leaves, and with it some keys come to others; one of these reads. The host is back, and leaves again: then
   * the read is answered.
   */
  #swing(over: () => void): void {
    const { plan, store, random, world } = this.#field;
    const host = this.#field.pickStarted();
    const keys = plan.keys.filter((key) => this.#field.primaryOf(key) === host);
    if (host === undefined || keys.length === 0) {
      over();
      return;
    }
    const answered = Promise.withResolvers<void>();
    const end = (): void => {
      store.watchRead(() => undefined);
      answered.resolve();
      over();
    };
    this.#members.leaveAlone(
      host,
      patienceMs,
      () => {
        let isHeld = false;
        store.watchRead((key) => {
          if (isHeld || !keys.includes(key)) return undefined;
          isHeld = true;
          this.#field.note("late read", () => `of ${key}, without ${host.id}`);
          return answered.promise;
        });
        const isBack = (): boolean => isHeld && isSettled(this.#field.wanted) && host.ready;
        const leaveAgain = (): void => {
          world.schedule(random.between(0, maxStayMs), () =>
            this.#members.leaveAlone(host, patienceMs, () => world.schedule(random.between(0, maxLateMs), end), end),
          );
        };
        this.#field.when(patienceMs, isBack, leaveAgain, end);
      },
      end,
    );
  }
}
