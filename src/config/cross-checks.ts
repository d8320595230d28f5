/**
 * Mistakes that no single setting shows: two nodes of one name, a buffer that can't hold its values, a node that the
 * whole network can reach by accident. Each check reads the file by itself, so it reports even if other parts have
 * mistakes, too.
 */

import { placeholderHash } from "../access/token.ts";
import { maxParts } from "../core/part-sizes.ts";
import { bufferSchema } from "./buffer-schema.ts";
import { completeBuffer } from "./buffer-size.ts";
import type { Mistake } from "./mistakes.ts";
import { isLoopbackHost, isTlsUrl, urlHost, urlPort } from "./node-url.ts";
import { bucketListBytes } from "./s3-schema.ts";
import { nodeSchema, type RawConfig } from "./schema.ts";

/** Part of the memory limit, for both together. The process needs the rest to work at all. */
const maxBufferShare = 0.8;

/** A buffer of fewer of the largest values could not take one more while others are on their way to the store. */
const minValuesInBuffer = 4;

export interface CrossCheckContext {
  /** Bytes of memory that this process may use. */
  readonly memoryBytes: number;
  /** Only a member needs the memory that its buffer may take. */
  readonly purpose: "member" | "store" | "client";
}

/** All mistakes of this kind that can be found in a file with other mistakes in it. */
export function crossMistakes(json: unknown, context: CrossCheckContext): Mistake[] {
  return [
    ...nodeMistakes(json),
    ...bufferMistakes(json, context),
    ...accessMistakes(json),
    ...tokenMistakes(field(field(json, "auth"), "tokens")),
    ...keyMistakes(field(json, "auth")),
    ...s3Mistakes(json),
  ];
}

/** What would let in others than `auth` names: where the nodes listen, and which pages may use them. */
export function accessMistakes(json: unknown): Mistake[] {
  return [...exposureMistakes(json), ...corsMistakes(json)];
}

function field(json: unknown, name: string): unknown {
  return typeof json === "object" && json !== null ? (json as Record<string, unknown>)[name] : undefined;
}

function nodeMistakes(json: unknown): Mistake[] {
  const nodes = field(json, "nodes");
  if (!Array.isArray(nodes)) return [];
  const mistakes = repetitions(nodes, "nodes", ["id", "url"]);
  mistakes.push(...schemeMistakes(nodes, field(json, "tls") !== undefined));
  if (nodes.length > 0 && nodes.every((node: unknown) => field(node, "weight") === 0)) {
    mistakes.push({ path: "nodes", text: "all have weight 0, so none would own a key; give one a weight" });
  }
  return mistakes;
}

/** All nodes speak TLS, or none does: they call each other by these urls. */
function schemeMistakes(nodes: readonly unknown[], hasTls: boolean): Mistake[] {
  return nodes.flatMap((node, index) => {
    const url = nodeSchema.shape.url.safeParse(field(node, "url"));
    if (!url.success || isTlsUrl(url.data) === hasTls) return [];
    const text = hasTls
      ? "must begin with https://, since there is tls"
      : "begins with https://, so there must be tls, with the node's certificate and key";
    return [{ path: `nodes[${index}].url`, text }];
  });
}

/** The fields that several elements of the list at `path` have in common. */
function repetitions(list: readonly unknown[], path: string, names: readonly string[]): Mistake[] {
  const mistakes: Mistake[] = [];
  for (const name of names) {
    const firstIndexes = new Map<unknown, number>();
    list.forEach((element, index) => {
      const value = field(element, name);
      if (typeof value !== "string") return;
      const first = firstIndexes.get(value);
      if (first === undefined) firstIndexes.set(value, index);
      else mistakes.push({ path: `${path}[${index}].${name}`, text: `is the same as ${path}[${first}].${name}` });
    });
  }
  return mistakes;
}

function bufferMistakes(json: unknown, context: CrossCheckContext): Mistake[] {
  const parsed = bufferSchema.safeParse(field(json, "buffer") ?? {});
  if (!parsed.success) return [];
  const buffer = completeBuffer(parsed.data, context.memoryBytes);
  const mistakes: Mistake[] = [];
  const minDirtyBytes = minValuesInBuffer * buffer.maxValueBytes;
  if (buffer.dirtyBytes < minDirtyBytes) {
    mistakes.push({
      path: "buffer.dirtyBytes",
      text: `is ${buffer.dirtyBytes}, must be at least ${minDirtyBytes} (${minValuesInBuffer} × buffer.maxValueBytes)`,
    });
  }
  if (buffer.refusedBytes > buffer.dirtyBytes) {
    const text = `is ${buffer.refusedBytes}, must be at most buffer.dirtyBytes (${buffer.dirtyBytes})`;
    mistakes.push({ path: "buffer.refusedBytes", text });
  }
  const maxBufferBytes = Math.floor(maxBufferShare * context.memoryBytes);
  if (context.purpose === "member" && buffer.dirtyBytes + buffer.cacheBytes > maxBufferBytes) {
    mistakes.push({
      path: "buffer",
      text: `dirtyBytes and cacheBytes are ${buffer.dirtyBytes + buffer.cacheBytes} together, must be at most ${maxBufferBytes} (80 % of the ${context.memoryBytes} bytes of memory here)`,
    });
  }
  return mistakes;
}

/** Without `auth`, a node that other hosts can reach must be a deliberate choice. */
function exposureMistakes(json: unknown): Mistake[] {
  if (field(json, "auth") !== undefined) return [];
  const nodes = field(json, "nodes");
  const listenHost = field(field(json, "listen"), "host");
  const exposed: string[] = [];
  for (const node of Array.isArray(nodes) ? nodes : []) {
    const url = nodeSchema.shape.url.safeParse(field(node, "url"));
    if (url.success && !isLoopbackHost(urlHost(url.data))) exposed.push(url.data);
  }
  if (typeof listenHost === "string" && !isLoopbackHost(listenHost)) exposed.push(listenHost);
  if (exposed.length === 0) return [];
  return [
    {
      path: "auth",
      text: `is missing, and other hosts can reach ${exposed.join(", ")}: make a token for each client ("weir token --help"); or write "auth": "none", and whoever reaches a node can read and write everything; or use 127.0.0.1`,
    },
  ];
}

/** Without tokens, any page in a browser near the node could read and write everything. */
function corsMistakes(json: unknown): Mistake[] {
  const origins = field(field(field(json, "http"), "cors"), "origins");
  const hasTokens = typeof field(json, "auth") === "object";
  if (!Array.isArray(origins) || !origins.includes("*") || hasTokens) return [];
  return [
    { path: "http.cors.origins", text: 'names all origins ("*"), which needs auth.tokens; name those that are meant' },
  ];
}

/** A token that is in the list twice, that lets nobody in, or that is for less than it seems. */
function tokenMistakes(tokens: unknown): Mistake[] {
  if (!Array.isArray(tokens)) return [];
  const mistakes = repetitions(tokens, "auth.tokens", ["name", "hash"]);
  tokens.forEach((token: unknown, index) => {
    if (field(token, "hash") === placeholderHash) {
      const text =
        'is that of the example, which lets nobody in: make a token with "weir token", and put its entry here';
      mistakes.push({ path: `auth.tokens[${index}].hash`, text });
    }
    const allow = field(token, "allow");
    if (field(token, "prefix") === undefined || !Array.isArray(allow)) return;
    const whole = allow.filter((right) => right === "monitor" || right === "admin");
    if (whole.length === 0) return;
    mistakes.push({
      path: `auth.tokens[${index}].prefix`,
      text: `limits read and write only: ${whole.join(" and ")} is for the whole cluster, and needs a token without a prefix`,
    });
  });
  return mistakes;
}

/** No keys at all, a key that is in the list twice, or one that shares its name with a token. */
function keyMistakes(auth: unknown): Mistake[] {
  if (typeof auth !== "object" || auth === null) return [];
  const tokens = field(auth, "tokens") ?? [];
  const keys = field(auth, "s3Keys") ?? [];
  if (!Array.isArray(tokens) || !Array.isArray(keys)) return [];
  if (tokens.length + keys.length === 0) {
    return [
      { path: "auth", text: 'has neither tokens nor s3Keys, so nobody would be served: make one with "weir token"' },
    ];
  }
  const mistakes = repetitions(keys, "auth.s3Keys", ["name", "accessKeyId"]);
  const names = new Map(tokens.map((token: unknown, index) => [field(token, "name"), index]));
  keys.forEach((key: unknown, index) => {
    const name = field(key, "name");
    const token = typeof name === "string" ? names.get(name) : undefined;
    if (token === undefined) return;
    const text = `is the same as auth.tokens[${token}].name: who has what of a node is counted by these names`;
    mistakes.push({ path: `auth.s3Keys[${index}].name`, text });
  });
  return mistakes;
}

/** Buckets of one name, a domain with nodes in it, and a port that is taken. */
function s3Mistakes(json: unknown): Mistake[] {
  const s3 = field(json, "s3");
  const buckets = field(s3, "buckets");
  const mistakes = Array.isArray(buckets) ? repetitions(buckets, "s3.buckets", ["name"]) : [];
  const nodes = field(json, "nodes");
  const urls = (Array.isArray(nodes) ? nodes : [])
    .map((node: unknown) => nodeSchema.shape.url.safeParse(field(node, "url")))
    .flatMap((url) => (url.success ? [url.data] : []));
  const domain = field(s3, "domain");
  const inside = typeof domain === "string" ? urls.find((url) => urlHost(url).endsWith(`.${domain}`)) : undefined;
  if (inside !== undefined) {
    const text = `has the node ${inside} in it: clients that call this node would name a bucket; take another domain`;
    mistakes.push({ path: "s3.domain", text });
  }
  const port = field(s3, "port");
  if (port === undefined) return mistakes;
  const taken = [field(field(json, "listen"), "port"), ...urls.map((url) => urlPort(url))];
  if (taken.includes(port)) mistakes.push({ path: "s3.port", text: "is the port of the nodes already; take another" });
  const hosts = urls.map((url) => urlHost(url));
  if (new Set(hosts).size < hosts.length) {
    const text =
      "is one port for each node, and several nodes are on one host: leave it out there, or use another host";
    mistakes.push({ path: "s3.port", text });
  }
  return mistakes;
}

/** This many pings in a row may be lost or late before it counts for anything. */
const minPings = 3;

/**
 * Milliseconds of a failover for swapping the view and handing off. Noticing the loss, and waiting for the lost node's
 * leases to end, come on top.
 */
const failoverMs = 2_000;

/** Times that make sense only if they are longer than others. */
export function timeMistakes({ buffer, flush, peers, request }: RawConfig): Mistake[] {
  const { pingMs, suspectMs, leaseMs } = peers;
  const pings = `${minPings} × peers.pingMs, so that a late ping is no loss`;
  const mistakes: Mistake[] = [];
  const atLeast = (path: string, isMs: number, minMs: number, why: string): void => {
    if (isMs < minMs) mistakes.push({ path, text: `is ${isMs}, must be at least ${minMs} (${why})` });
  };
  atLeast("peers.suspectMs", suspectMs, minPings * pingMs, pings);
  atLeast("peers.leaseMs", leaseMs, minPings * pingMs, pings);
  atLeast(
    "peers.leaseMs",
    leaseMs,
    suspectMs,
    "peers.suspectMs, so that a node does not lose its lease before it is lost",
  );
  const needed = `peers.suspectMs + peers.leaseMs + ${failoverMs} and more, so that a request outlasts the loss of a node`;
  atLeast("request.deadlineMs", request.deadlineMs, suspectMs + leaseMs + failoverMs + 1, needed);
  const answered = "flush.deadlineMs: a request can take effect for as long as its answer is waited for";
  atLeast("flush.lateEffectMs", flush.lateEffectMs, flush.deadlineMs, answered);
  if (buffer.maxDirtyAgeMs > 0) {
    const least = flush.delayMs + flush.deadlineMs;
    const why = "flush.delayMs + flush.deadlineMs, which a value may wait after a change of owners; or 0 for no bound";
    atLeast("buffer.maxDirtyAgeMs", buffer.maxDirtyAgeMs, least, why);
  }
  return mistakes;
}

/** Settings that are larger than another that bounds them. */
export function orderMistakes(config: RawConfig): Mistake[] {
  const pairs = [
    ["flush.retryMinMs", config.flush.retryMinMs, "flush.retryMaxMs", config.flush.retryMaxMs],
    ["peers.redialMinMs", config.peers.redialMinMs, "peers.redialMaxMs", config.peers.redialMaxMs],
    ["peers.pingMs", config.peers.pingMs, "peers.silenceMs", config.peers.silenceMs],
    // A body that is larger than all of them together would never be let in.
    ["buffer.maxValueBytes", config.buffer.maxValueBytes, "http.inFlightBytes", config.http.inFlightBytes],
    // Nor would a part, and a value has only so many parts.
    ["large.partBytes", config.large.partBytes, "large.inFlightBytes", config.large.inFlightBytes],
    [
      "large.maxValueBytes",
      config.large.maxValueBytes,
      `${maxParts} times large.inFlightBytes`,
      config.large.inFlightBytes * maxParts,
    ],
  ] as const;
  const mistakes = pairs
    .filter(([, lesser, , greater]) => lesser > greater)
    .map(([path, lesser, other, greater]) => ({ path, text: `is ${lesser}, must be at most ${other} (${greater})` }));
  const { maxValueBytes } = config.buffer;
  if (config.s3.createBuckets && maxValueBytes < bucketListBytes) {
    const text = `is ${maxValueBytes}, must be at least ${bucketListBytes} with s3.createBuckets, since the list of created buckets is one value`;
    mistakes.push({ path: "buffer.maxValueBytes", text });
  }
  return mistakes;
}
