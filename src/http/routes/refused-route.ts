/**
 * `/cluster/refused/{key}`: the value of a key that the store refuses. Its entity tag is its version. DELETE discards
 * this version and no other: `If-Match` must name the version that the operator has looked at.
 */

import { OperatingError } from "../../base/errors.ts";
import type { Administration } from "../../core/administration.ts";
import { maxKeyBytes } from "../../core/keys.ts";
import type { Version } from "../../core/version.ts";
import { answer, answerJson, type Exchange } from "../server/exchange.ts";
import { decodePercent } from "../server/percent.ts";
import { type FixedRoute, type KeyRoute, reading } from "../server/route.ts";

export function refusedRoute(administration: () => Administration): KeyRoute {
  return {
    kind: "key",
    needs: { ...reading("monitor"), DELETE: "admin" },
    handle: async (exchange, key) => {
      if (exchange.request.method === "DELETE") await discard(exchange, key, administration());
      else await tell(exchange, key, administration());
    },
  };
}

/** `GET /cluster/refused/?prefix=`: what the store refuses of all such keys. */
export function refusedListRoute(administration: () => Administration): FixedRoute {
  return {
    kind: "fixed",
    needs: reading("monitor"),
    handle: async (exchange, query) => {
      const refused = await administration().refusedUnder(prefixIn(query));
      answerJson(exchange, 200, refused, ["Cache-Control", "no-store"]);
    },
  };
}

/** @throws OperatingError `query_invalid` */
function prefixIn(query: string): string {
  const invalid = (detail: string): OperatingError => new OperatingError("query_invalid", detail);
  const encoded = /^\?prefix=([^&]*)$/.exec(query)?.[1];
  if (encoded === undefined) throw invalid("this takes one parameter, prefix, which may be empty");
  const prefix = decodePercent(encoded.replaceAll("+", "%20"), (detail) => invalid(`prefix: ${detail}`));
  if (Buffer.byteLength(prefix) > maxKeyBytes) throw invalid(`prefix is over ${maxKeyBytes} bytes`);
  return prefix;
}

async function tell(exchange: Exchange, key: string, administration: Administration): Promise<void> {
  const refused = await administration.refused(key);
  answerJson(exchange, 200, refused, ["Cache-Control", "no-store", "ETag", `"${textOf(refused.version)}"`]);
}

async function discard(exchange: Exchange, key: string, administration: Administration): Promise<void> {
  const version = versionIn(exchange.request.headers["if-match"]);
  const outcome = await administration.discard(key, version);
  if (outcome.kind !== "written") {
    throw new OperatingError("precondition_failed", `version ${textOf(version)} is not what the key holds; look again`);
  }
  answer(exchange, 204, ["Weir-Version", textOf(outcome.version)]);
}

function textOf({ epoch, seq }: Version): string {
  return `${epoch}.${seq}`;
}

/** @throws OperatingError `header_invalid`. */
function versionIn(tag: string | undefined): Version {
  const [, epoch, seq] = /^"([1-9]\d{0,14})\.([1-9]\d{0,14})"$/.exec(tag ?? "") ?? [];
  if (epoch !== undefined && seq !== undefined) return { epoch: Number(epoch), seq: Number(seq) };
  throw new OperatingError(
    "header_invalid",
    "If-Match must be the ETag of what is given up, as a GET of the same path shows it",
  );
}
