/**
 * What a node has little of, and who has how much of it: a token's holder, or without tokens an address. What one does
 * uses up its own share, never another's.
 */

import { type GiveUp, type Share, Shares } from "../../base/shares.ts";
import type { Exchange } from "./exchange.ts";

export interface ShareSettings {
  readonly inFlightBytes: number;
  readonly unreadBytes: number;
  readonly uploads: number;
  readonly uploadBytes: number;
  readonly downloads: number;
  readonly requests: number;
  readonly listings: number;
  readonly connections: number;
}

/** What is shared. */
export const sharedNames = [
  "body_bytes",
  "unread_bytes",
  "uploads",
  "upload_bytes",
  "downloads",
  "requests",
  "listings",
  "connections",
] as const;
export type SharedName = (typeof sharedNames)[number];

/** A body that is whole belongs to a request, or to an upload that the store is to take. Those are not given up. */
const keepRoom: ReadonlySet<SharedName> = new Set(["body_bytes", "requests", "uploads", "upload_bytes", "listings"]);

/** What holders were refused, or had to give up, of one thing. */
interface Losses {
  readonly refused: Map<string, number>;
  readonly givenUp: Map<string, number>;
}

export class NodeShares {
  readonly #shares: Readonly<Record<SharedName, Shares>>;
  readonly #losses: Readonly<Record<SharedName, Losses>>;

  constructor(settings: ShareSettings) {
    const { inFlightBytes: body_bytes, unreadBytes: unread_bytes, uploadBytes: upload_bytes } = settings;
    const capacities = { ...settings, body_bytes, unread_bytes, upload_bytes };
    this.#losses = forEach(() => ({ refused: new Map(), givenUp: new Map() }));
    this.#shares = forEach((name) => {
      const { refused, givenUp } = this.#losses[name];
      const count = (counts: Map<string, number>) => (holder: string) => {
        const label = labelOf(holder);
        counts.set(label, (counts.get(label) ?? 0) + 1);
      };
      return new Shares(capacities[name], {
        keepsRoom: keepRoom.has(name),
        onRefused: count(refused),
        onGivenUp: count(givenUp),
      });
    });
  }

  /** A share of the exchange's caller; undefined if there is no room for it. See {@link Shares.take}. */
  take(name: SharedName, exchange: Exchange, amount: number, giveUp?: GiveUp): Share | undefined {
    return this.#shares[name].take(holderOf(exchange), amount, giveUp);
  }

  /** Whether {@link take} would give the exchange's caller so much, and nobody had to give up anything for it. */
  hasRoomFor(name: SharedName, exchange: Exchange, amount: number): boolean {
    return this.#shares[name].hasRoomFor(holderOf(exchange), amount);
  }

  /** How much the exchange's caller has. */
  amount(name: SharedName, exchange: Exchange): number {
    return this.#shares[name].amountOf(holderOf(exchange));
  }

  /** As {@link take}, for an address that is not known to be anybody's yet. */
  takeFor(name: SharedName, address: string | undefined, amount: number, giveUp?: GiveUp): Share | undefined {
    return this.#shares[name].take(holderAt(address), amount, giveUp);
  }

  capacity(name: SharedName): number {
    return this.#shares[name].capacity;
  }

  used(name: SharedName): number {
    return this.#shares[name].used;
  }

  /** How much each token has; those without one together. */
  *amounts(name: SharedName): IterableIterator<readonly [token: string, amount: number]> {
    const amounts = new Map<string, number>();
    for (const [holder, amount] of this.#shares[name].holders()) {
      const label = labelOf(holder);
      amounts.set(label, (amounts.get(label) ?? 0) + amount);
    }
    yield* amounts;
  }

  /** How often each token was refused a share, or had to give one up. */
  losses(name: SharedName): { readonly [Kind in keyof Losses]: ReadonlyMap<string, number> } {
    return this.#losses[name];
  }
}

function forEach<T>(make: (name: SharedName) => T): Record<SharedName, T> {
  return Object.fromEntries(sharedNames.map((name) => [name, make(name)])) as Record<SharedName, T>;
}

const tokenPrefix = "token ";

/** By the grant of a token, or by the connection. A name that is made anew for each request is hashed anew, too. */
const holderNames = new WeakMap<object, string>();

/** In whose share a request counts. */
export function holderOf({ grant, request: { socket } }: Exchange): string {
  const by = grant.token === undefined ? socket : grant;
  const known = holderNames.get(by);
  if (known !== undefined) return known;
  const name = grant.token === undefined ? holderAt(socket.remoteAddress) : tokenPrefix + grant.token;
  holderNames.set(by, name);
  return name;
}

/** A host has a /64 of IPv6, as a rule (RFC 6177), and all addresses in it. */
function holderAt(address = ""): string {
  const plain = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = plain.split("::");
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? 0 : tail.split(":").length;
  while (tail !== undefined && groups.length < 8 - after) groups.push("0");
  return `${groups.slice(0, 4).join(":")}::/64`;
}

/** Names of tokens are few. Addresses are not: they are together, under no name. */
export function labelOf(holder: string): string {
  return holder.startsWith(tokenPrefix) ? holder.slice(tokenPrefix.length) : "";
}
