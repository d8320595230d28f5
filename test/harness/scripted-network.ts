/** The network port for one part by itself: every request is kept, and answered as the test says. */

import { OperatingError } from "../../src/base/errors.ts";
import type { PeerAnswer, PeerIdentity, PeerNotice, PeerRequest } from "../../src/core/message.ts";
import type { Network } from "../../src/network/network.ts";

export interface SentRequest {
  readonly to: string;
  readonly request: PeerRequest;
  readonly deadlineMs: number;
}

/** What a peer answers, what its link fails with, or undefined: nothing, until the test says more. */
export type Script = (sent: SentRequest) => PeerAnswer | OperatingError | undefined;

export class ScriptedNetwork implements Network {
  readonly sent: SentRequest[] = [];
  readonly notices: { readonly to: string; readonly notice: PeerNotice }[] = [];
  readonly links = new Map<string, PeerIdentity>();
  script: Script;
  readonly #waiting: { readonly sent: SentRequest; readonly settle: (answer: PeerAnswer | OperatingError) => void }[] =
    [];

  constructor(script: Script = () => undefined) {
    this.script = script;
  }

  start(): void {
    throw new Error("a part by itself takes no requests");
  }

  setPeers(): void {
    throw new Error("a part by itself names no peers");
  }

  disconnect(id: string): void {
    this.links.delete(id);
  }

  linked(id: string): PeerIdentity | undefined {
    return this.links.get(id);
  }

  refused(): undefined {
    return undefined;
  }

  /** Peers in their first process have a link now. */
  link(...peers: readonly PeerIdentity[]): void {
    for (const { id, incarnation } of peers) this.links.set(id, { id, incarnation });
  }

  request(to: string, request: PeerRequest, deadlineMs: number): Promise<PeerAnswer> {
    const sent = { to, request, deadlineMs };
    this.sent.push(sent);
    return new Promise((resolve, reject) => {
      const settle = (answer: PeerAnswer | OperatingError): void => {
        if (answer instanceof OperatingError) reject(answer);
        else resolve(answer);
      };
      const answer = this.script(sent);
      if (answer) settle(answer);
      else this.#waiting.push({ sent, settle });
    });
  }

  notify(to: string, notice: PeerNotice): boolean {
    this.notices.push({ to, notice });
    return this.links.has(to);
  }

  /** Answers the oldest request that waits for one (of this peer, if one is named). */
  answer(answer: PeerAnswer | OperatingError, from?: string): void {
    const index = this.#waiting.findIndex(({ sent }) => from === undefined || sent.to === from);
    const [waiting] = index < 0 ? [] : this.#waiting.splice(index, 1);
    if (!waiting) throw new Error("no request waits for an answer");
    waiting.settle(answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Lets every promise that is resolved already reach those who wait for it. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
