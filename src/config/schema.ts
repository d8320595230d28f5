/**
 * The shape of cluster.json: each setting with its unit, its default and the reason for it. Error messages quote the
 * descriptions, and docs/configuration.md is made from them, so each setting is explained in one place.
 */

import { z } from "zod";
import { rights } from "../access/grant.ts";
import { tokenHashPattern } from "../access/token.ts";
import { maxKeyBytes } from "../core/keys.ts";
import { maxListLimit } from "../core/listing.ts";
import { maxWeight } from "../core/ring.ts";
import { bufferSchema } from "./buffer-schema.ts";
import { largeSchema } from "./large-schema.ts";
import { nodeUrlMistake } from "./node-url.ts";
import { byteCount, dayMs, durationMs, mebibyte } from "./quantities.ts";
import { s3Schema } from "./s3-schema.ts";
import { secretReference } from "./secret-reference.ts";
import { storeSchema } from "./store-schema.ts";

const idPattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const hostNamePattern = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/i;

const idText = z
  .string()
  .regex(idPattern, "must be 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit");

const nodeUrl = z.string().superRefine((text, context) => {
  const mistake = nodeUrlMistake(text);
  if (mistake !== undefined) context.addIssue({ code: "custom", message: mistake });
});

/**
 * With more, tokens would no longer be for a few people and programs, but for users. Users need a service of their own
 * in front.
 */
const maxTokens = 1_000;

/** There are two while the secret is being changed. */
const maxSecrets = 4;

const pemFile = z.string().min(1);

export const tokenSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.@-]{1,63}$/, "must be 1 to 63 letters, digits, and . _ @ -")
    .describe("Who uses the token, as refusals name it: 1 to 63 letters, digits, and . _ @ -."),
  hash: z
    .string()
    .regex(tokenHashPattern, 'must be "sha256:" and 64 hex digits, as weir token prints it, never the token itself')
    .describe('The token\'s SHA-256, as `weir token` prints it: "sha256:" and 64 hex digits.'),
  allow: z
    .array(z.enum(rights))
    .min(1)
    .describe(
      '"read" and "write": values; "monitor": /cluster and /metrics; "admin": these, and what changes the cluster.',
    ),
  prefix: z.string().min(1).max(maxKeyBytes).optional().describe("The token is for keys that begin with this only."),
});

/** Ids of S3's own keys have 20 characters. Other programs' may have slashes, too, but no commas or spaces. */
const accessKeyPattern = /^[\w.@/+=-]{3,128}$/;

export const s3KeySchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.@-]{1,63}$/, "must be 1 to 63 letters, digits, and . _ @ -")
    .describe("Who uses the key, as refusals name it. Written as a token's name, and no token has the same."),
  accessKeyId: z
    .string()
    .regex(accessKeyPattern, "must be 3 to 128 letters, digits, and . _ @ / + = -")
    .describe("The key's id, as S3 clients send it: 3 to 128 letters, digits, and . _ @ / + = -."),
  secret: secretReference.describe(
    '"env:NAME" or "file:PATH" of the secret that S3 clients sign with, 16 bytes at least: `weir token --s3` makes both.',
  ),
  allow: z
    .array(z.enum(["read", "write"]))
    .min(1)
    .describe('"read" and "write": objects and buckets.'),
  prefix: z.string().min(1).max(maxKeyBytes).optional().describe("The key is for keys that begin with this only."),
});

export const nodeSchema = z.strictObject({
  id: idText.describe("The node's name, for ever: 1 to 63 of a-z, 0-9 and -."),
  url: nodeUrl.describe("Where clients and the other nodes reach it: `http://HOST:PORT`, or `https://` with `tls`."),
  zone: z
    .string()
    .min(1)
    .max(63)
    .optional()
    .describe("What fails together with it (rack, availability zone): a key's owners are taken from different zones."),
  weight: z
    .number()
    .min(0)
    .max(maxWeight)
    .default(1)
    .describe("Its share of the keys relative to the other nodes'; 0 owns none and only routes."),
});

const tlsSchema = z
  .strictObject({
    cert: pemFile.describe(
      "PEM file of the node's certificate, and of those between it and an authority that others know. Turns TLS on, for clients and nodes alike. Relative to the file's folder.",
    ),
    key: pemFile.describe("PEM file of its private key."),
    ca: pemFile.optional().meta({
      description: "PEM file of the authorities that the other nodes' certificates are checked against.",
      computed: "the authorities that the runtime knows",
    }),
    clientCa: pemFile
      .optional()
      .describe(
        "PEM file of authorities. Each client and each node that connects must show a certificate of one of them. Without this setting none is asked for.",
      ),
    warnDays: z
      .int()
      .min(0)
      .max(3_650)
      .default(14)
      .describe("Days before the certificate expires from which on the log warns of it: tools renew them earlier."),
  })
  .optional();

const flushSchema = z
  .strictObject({
    delayMs: z
      .int()
      .min(0)
      .max(dayMs)
      .default(100)
      .describe(
        "Milliseconds that a value rests before it is sent to the store, so that overwrites become one request.",
      ),
    deadlineMs: durationMs
      .min(1_000)
      .default(10_000)
      .describe(
        "Milliseconds until a request to the store is given up. A key whose owners have changed may wait this long before it is flushed. The cluster's first node fixes it.",
      ),
    lateEffectMs: durationMs
      .min(1_000)
      .default(900_000)
      .describe(
        "Milliseconds after which a request without an answer can change the object no more. It is for safety: it must be longer than the store, and all proxies before it, may keep a request.",
      ),
    concurrency: z
      .int()
      .min(1)
      .max(1_024)
      .default(64)
      .describe("Requests to the store under way at a time, at most; fewer while the store asks for it."),
    retryMinMs: durationMs
      .default(100)
      .describe("Milliseconds until the first retry of a failed flush; each further one waits twice as long."),
    retryMaxMs: durationMs
      .default(10_000)
      .describe("Milliseconds between retries, at most, so that a store that is back is used within this time."),
    stopMs: durationMs
      .default(20_000)
      .describe("Milliseconds that a stopping node takes to hand over all that it holds, at most."),
  })
  .prefault({});

function isOrigin(text: string): boolean {
  return text === "*" || (/^https?:/.test(text) && URL.parse(text)?.origin === text);
}

/** The names are those of HttpSettings. Its other limits follow from these, or need no operator. */
const httpSchema = z
  .strictObject({
    connections: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(10_000)
      .describe(
        "Connections of clients that are served at a time. There are fewer where the system lets the process open too few files; the log says so then. Requests on further connections are answered 503.",
      ),
    inFlightBytes: byteCount
      .default(128 * mebibyte)
      .describe(
        "Bytes of request bodies that are read or stored at a time, at most. By default they are 32 of the largest buffered values.",
      ),
    leastBytesPerSecond: z
      .int()
      .min(1)
      .max(mebibyte)
      .default(8_192)
      .describe(
        "Bytes a second at which a client has to send or read a value over buffer.maxValueBytes, on average. A slower one is cut off.",
      ),
    maxHeaderBytes: z
      .int()
      .min(8_192)
      .max(mebibyte)
      .default(16_384)
      .describe(
        "Bytes in a request's line and headers, at most: a percent-encoded key takes 3 KiB, metadata and content headers 2 KiB each.",
      ),
    maxListKeys: z
      .int()
      .min(1)
      .max(maxListLimit)
      .default(1_000)
      .describe(
        "Keys and common prefixes in one page of a listing, at most. A query without a limit gets as many. By default as many as S3 gives.",
      ),
    hosts: z
      .array(z.string().regex(hostNamePattern, "must be a host's name, without a port"))
      .max(100)
      .default([])
      .describe(
        'Where `auth` is "none": names by which clients call the nodes, beside addresses, localhost and the hosts in `nodes`. A request to any other name is refused, since a page of another site may have sent it.',
      ),
    headersTimeoutMs: durationMs
      .default(15_000)
      .describe("Milliseconds for a request's headers to arrive, so that idle openers cannot hold connections."),
    bodyTimeoutMs: durationMs
      .default(60_000)
      .describe("Milliseconds for a request's body to arrive: 4 MiB in 60 s are 70 KB/s."),
    cors: z
      .strictObject({
        origins: z
          .array(
            z.string().refine(isOrigin, "must be an origin as browsers send it, such as https://app.example.org, or *"),
          )
          .max(100)
          .default([])
          .describe(
            'Origins whose pages may read and write values from a browser, such as "https://app.example.org"; "*" for all, where there are tokens.',
          ),
        maxAgeSeconds: z
          .int()
          .min(0)
          .max(86_400)
          .default(600)
          .describe("Seconds that a browser may remember what those pages may send."),
      })
      .prefault({}),
    answerTimeoutMs: durationMs
      .default(60_000)
      .describe("Milliseconds for a client to read an answer: 4 MiB in 60 s are 70 KB/s."),
    unreadBytes: byteCount
      .default(128 * mebibyte)
      .describe(
        "Bytes of answers that clients have not read yet, at most. Beyond that, the answers that have waited longest are cut.",
      ),
    drainMs: z
      .int()
      .min(0)
      .max(600_000)
      .default(5_000)
      .describe(
        "Milliseconds that a stopping node goes on to serve while /readyz says no, so that load balancers see it. In the last fifth of it each answer ends its connection. http.finishMs and flush.stopMs follow.",
      ),
    finishMs: durationMs
      .default(10_000)
      .describe(
        "Milliseconds that a stopping node then gives requests under way to end, uploads and downloads among them. It cuts the others and leaves. Downloads that came later get as long again at the end.",
      ),
    keepAliveMs: durationMs
      .default(65_000)
      .describe(
        "Milliseconds that an idle connection is kept, or up to a quarter longer. The default is longer than the 60 s of usual load balancers.",
      ),
  })
  .prefault({});

/** The names are those of LinkSettings. Its other limits need no operator. */
const peersSchema = z
  .strictObject({
    pingMs: durationMs.default(200).describe("Milliseconds between two signs of life to each other node."),
    suspectMs: durationMs
      .default(800)
      .describe(
        "Milliseconds without an answer after which a node is taken for lost and dropped: four pings, longer than a usual pause of the runtime.",
      ),
    leaseMs: durationMs
      .default(1_000)
      .describe(
        "Milliseconds that a node may answer on the word of the others; after a loss its keys wait this long. The cluster's first node fixes it.",
      ),
    silenceMs: durationMs
      .default(3_000)
      .describe(
        "Milliseconds without a sign of life after which a link is closed: longer than a pause of the runtime.",
      ),
    handshakeMs: durationMs.default(3_000).describe("Milliseconds for a link to come up and prove the secret."),
    redialMinMs: durationMs
      .default(50)
      .describe("Milliseconds until a lost link is dialled again; each further wait is twice as long."),
    redialMaxMs: durationMs.default(2_000).describe("Milliseconds between two dials, at most."),
    maxQueueBytes: byteCount
      .default(32 * mebibyte)
      .describe("Bytes waiting to be sent to one node, at most; further requests are answered 503."),
    maxInFlight: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(16_384)
      .describe(
        "Requests to one node that have no answer yet, at most; further ones are answered 503. More than `request.limit`, so that one caller's cannot be all of them.",
      ),
    viewCheckMs: durationMs
      .min(1_000)
      .default(60_000)
      .describe(
        "Milliseconds between two looks at the view in the store, which notice that it is gone or older: one read each.",
      ),
  })
  .prefault({});

export const configSchema = z.strictObject({
  cluster: idText.describe(
    "The cluster's name, written as a node's id. Nodes of a cluster with another name are refused.",
  ),
  secret: z
    .union([secretReference, z.array(secretReference).min(1).max(maxSecrets)])
    .describe(
      '"env:NAME" or "file:PATH" of the secret that the nodes prove to each other: the same on all, 16 bytes at least. A list has 4 of them at most. The first is used, and each is accepted: so the secret is changed without a pause.',
    ),
  store: storeSchema.describe("Where the values end up."),
  nodes: z.array(nodeSchema).min(1).max(64).describe("Every node, the same list on each host."),
  auth: z
    .union([
      z.literal("none"),
      z.strictObject({
        tokens: z.array(tokenSchema).max(maxTokens).default([]),
        s3Keys: z.array(s3KeySchema).max(maxTokens).default([]),
      }),
    ])
    .optional()
    .describe(
      '{ "tokens": [...], "s3Keys": [...] }: who has one of these is served; "none": all that reaches the port can read and write everything, if it calls the node by a known name (`http.hosts`). Without `auth` only programs of this host are served.',
    ),
  tls: tlsSchema,
  listen: z
    .strictObject({
      host: z.string().min(1).optional().meta({
        description: "The address to listen on.",
        computed: "the address in the node's own url; every address of the host if that is a name",
      }),
      port: z.int().min(1).max(65_535).optional().meta({
        description: "The port to listen on, where it is mapped to another outside.",
        computed: "the port in the node's own url",
      }),
    })
    .prefault({}),
  replicas: z
    .int()
    .min(1)
    .max(8)
    .default(2)
    .describe(
      "Nodes that hold a value before its write is answered: one fewer may be lost at once without losing it. The cluster's first node fixes it.",
    ),
  journal: z
    .enum(["always", "off"])
    .default("always")
    .describe(
      '"always": a value is on the disks of these nodes before its write is answered, so that a power loss of all loses nothing; "off": it is in memory only.',
    ),
  data: z
    .string()
    .min(1)
    .default("weir-data")
    .describe(
      "The folder for journals, on a local disk that outlives the process. Each node has a folder in it, named by its id. Relative to the file's folder.",
    ),
  buffer: bufferSchema.prefault({}),
  large: largeSchema,
  flush: flushSchema,
  http: httpSchema,
  s3: s3Schema.prefault({}),
  peers: peersSchema,
  request: z
    .strictObject({
      // A node that comes back with old copies of writes waits longer than this, by any clock: see settledWaitMs.
      deadlineMs: durationMs
        .max(25_000)
        .default(10_000)
        .describe(
          "Milliseconds until a request that the cluster cannot answer yet is given up with 503: longer than a failover.",
        ),
      limit: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(10_000)
        .describe(
          "Requests of clients under way on a node at a time, at most. They are never more than its connections. Further ones are answered 503.",
        ),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(["debug", "info", "warn", "error"])
        .default("info")
        .describe("The least severe lines to log; requests are logged at debug."),
      format: z
        .enum(["auto", "json", "pretty"])
        .default("auto")
        .describe(
          '"json": one JSON object a line; "pretty": lines for people; "auto": "pretty" on a terminal, else "json".',
        ),
    })
    .prefault({}),
});

/**
 * A file that has passed the schema. Defaults are filled in; computed ones are still open, and secrets are still
 * references.
 */
export type RawConfig = z.output<typeof configSchema>;
