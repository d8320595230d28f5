/**
 * `GET /kv/`: a page of the keys. The query is read strictly. A part that is not understood is refused: a listing that
 * silently ignores a condition lists too much. In a query `+` is a space, as in queries made from forms and tables.
 */

import { OperatingError } from "../../base/errors.ts";
import { maxKeyBytes } from "../../core/keys.ts";
import { isOwn, type ListQuery } from "../../core/listing.ts";
import type { ListOutcome, Operations } from "../../core/operation.ts";
import { answer, type Exchange } from "../server/exchange.ts";
import type { NodeShares } from "../server/node-shares.ts";
import { decodePercent } from "../server/percent.ts";
import { type FixedRoute, reading } from "../server/route.ts";
import type { OwnTurns, Turns } from "../server/turns.ts";

const noPage: ListOutcome = Object.freeze({ keys: [], prefixes: [], next: undefined });

const names = ["prefix", "after", "limit", "delimiter"] as const;

export class ListRoute {
  readonly route: FixedRoute = {
    kind: "fixed",
    needs: reading("read"),
    handle: (exchange, query) => this.#list(exchange, query),
  };
  readonly #operations: () => Operations;
  readonly #turns: Turns;
  readonly #shares: NodeShares;
  readonly #maxKeys: number;

  /** @param maxKeys The most entries in a page, and the limit of a query that names none. */
  constructor(operations: () => Operations, turns: Turns, shares: NodeShares, maxKeys: number) {
    this.#operations = operations;
    this.#turns = turns;
    this.#shares = shares;
    this.#maxKeys = maxKeys;
  }

  async #list(exchange: Exchange, text: string): Promise<void> {
    const query = parseQuery(text, this.#maxKeys);
    exchange.grant.requirePrefix(query.prefix);
    // Each page is a look at all that the nodes hold, and they take one look after the other.
    const place = this.#shares.take("listings", exchange, 1);
    if (!place) throw new OperatingError("overloaded", "too many listings are under way on this node");
    let body: Buffer;
    try {
      // Weir's own keys are not listed.
      const page = isOwn(query) ? noPage : await this.#operations().list(query);
      body = await encodePage(page, this.#turns.of(place.holder.name));
    } finally {
      place.release();
    }
    const headers = ["Content-Type", "application/json", "Content-Length", String(body.length)];
    answer(exchange, 200, [...headers, "Cache-Control", "no-store"], body);
  }
}

/** Entries in a piece. The longest keys, with each character escaped, are 400 KiB of JSON then. */
const pieceEntries = 64;

/** A piece takes a turn of its own, once there are more bytes than these. */
const turnBytes = 128 * 1024;

/** The page as JSON. With the longest keys it may have 6 MB, and take 30 ms. So it is made in pieces. */
export async function encodePage({ keys, prefixes, next }: ListOutcome, turns: OwnTurns): Promise<Buffer> {
  const parts: Buffer[] = [];
  let sinceTurn = 0;
  const add = (text: string): void => {
    const part = Buffer.from(text);
    parts.push(part);
    sinceTurn += part.length;
  };
  const addList = async <T>(items: readonly T[], describe: (item: T) => unknown): Promise<void> => {
    for (let at = 0; at < items.length; at += pieceEntries) {
      if (sinceTurn > turnBytes) {
        await turns.next();
        sinceTurn = 0;
      }
      const piece = JSON.stringify(items.slice(at, at + pieceEntries).map(describe));
      add(`${at === 0 ? "" : ","}${piece.slice(1, -1)}`);
    }
  };
  add('{"keys":[');
  await addList(keys, ({ key, size, etag, modifiedMs }) => ({
    key,
    size,
    etag,
    lastModified: new Date(modifiedMs).toISOString(),
  }));
  add('],"prefixes":[');
  await addList(prefixes, (prefix) => prefix);
  add(`],"next":${JSON.stringify(next ?? null)}}`);
  return Buffer.concat(parts);
}

/** @param text Empty, or a question mark and the query. */
function parseQuery(text: string, maxKeys: number): ListQuery {
  const values = new Map<string, string>();
  for (const part of text.slice(1).split("&")) {
    if (part === "") continue;
    const at = part.indexOf("=");
    const name = decode(at === -1 ? part : part.slice(0, at), "a name");
    if (!(names as readonly string[]).includes(name))
      throw invalid(`there is no parameter ${JSON.stringify(name)}, only ${names.join(", ")}`);
    if (values.has(name)) throw invalid(`${name} occurs more than once`);
    values.set(name, decode(at === -1 ? "" : part.slice(at + 1), name));
  }
  const limit = values.get("limit");
  return {
    prefix: values.get("prefix") ?? "",
    after: values.get("after") ?? "",
    delimiter: values.get("delimiter") ?? "",
    limit: limit === undefined ? maxKeys : parseLimit(limit, maxKeys),
  };
}

function parseLimit(text: string, maxKeys: number): number {
  const limit = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= maxKeys) return limit;
  throw invalid(`limit must be a whole number from 1 to ${maxKeys} (http.maxListKeys), not ${JSON.stringify(text)}`);
}

function decode(text: string, what: string): string {
  const decoded = decodePercent(text.replaceAll("+", "%20"), (detail) => invalid(`${what}: ${detail}`));
  if (Buffer.byteLength(decoded) > maxKeyBytes) throw invalid(`${what} has more than ${maxKeyBytes} bytes`);
  return decoded;
}

function invalid(detail: string): OperatingError {
  return new OperatingError("query_invalid", detail);
}
