/**
 * How two processes prove to each other that they belong to the same cluster, before the first frame:
 *
 * 1. dialler → acceptor: hello (protocol version, cluster, who I am, whom I call, a nonce, what I take)
 * 2. acceptor → dialler: hello
 * 3. dialler → acceptor: proof. It is an HMAC-SHA256 with the cluster secret over its role, both hellos as they were
 *    sent, and what binds it to the TLS connection, if it is one.
 * 4. acceptor → dialler: proof
 *
 * In place of any of these either end may send a refusal. Its reason is for the operator at the other end.
 *
 * A proof covers three things. Both nonces, so that an old proof proves nothing. The role, so that it can't be sent
 * back. And all that the hellos say.
 *
 * The dialler proves first: a caller that does not know the secret gets nothing to try guesses on.
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { assert } from "../base/assert.ts";
import { MalformedError } from "../base/codec.ts";
import type { PeerIdentity } from "../core/message.ts";
import type { ReceiveLimits } from "./frame.ts";
import type { HandshakeChannel } from "./handshake-channel.ts";

/** The version of the frames and messages. Two processes link only if they have the same. */
export const protocolVersion = 7;

/**
 * Why a link is refused:
 *
 * - `version`, `cluster`, `secret`: those of the two ends differ. Clusters of one name may differ in their ids.
 * - `self`: the caller has the callee's own id.
 * - `twin`: the caller has the id of a member whose own process is there.
 * - `wrong_id`: the callee is not the member that was called.
 * - `crossed`: the callee is calling the caller just now.
 * - `closing`: the callee stops.
 */
const refusalCodes = ["version", "cluster", "secret", "self", "twin", "wrong_id", "crossed", "closing"] as const;
export type RefusalCode = (typeof refusalCodes)[number];

export interface Refusal {
  readonly code: RefusalCode;
  /** For people. It has nothing secret in it. */
  readonly detail: string;
}

/** One of the two ends has refused the link. */
export class LinkRefusedError extends Error {
  override name = "LinkRefusedError";
  readonly code: RefusalCode;

  constructor(refusal: Refusal, byPeer: boolean) {
    super(byPeer ? `the peer refused: ${refusal.detail}` : refusal.detail);
    this.code = refusal.code;
  }
}

/** What a handshake is made with. */
export interface LinkCredentials {
  readonly identity: PeerIdentity;
  /** The cluster's name. */
  readonly cluster: string;
  /** The cluster's id, by the view or the data folder of this process; undefined while it has been in none. */
  readonly clusterId: string | undefined;
  /** At least one. A call is made with the first, and taken with each. */
  readonly secrets: readonly string[];
  /** Bytes of this connection alone (see channel-binding.ts). */
  readonly binding: Buffer;
  readonly receive: ReceiveLimits;
}

/** A proven link. */
export interface EstablishedLink {
  readonly peer: PeerIdentity;
  /** What the peer takes. */
  readonly limits: ReceiveLimits;
}

const limit = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const name = z.string().min(1).max(255);
const nonceDigits = 32;

const versionSchema = z.object({ type: z.literal("hello"), version: z.number() });
const helloSchema = z.object({
  type: z.literal("hello"),
  version: z.literal(protocolVersion),
  cluster: name,
  /** Earlier releases do not send it. */
  clusterId: name.optional(),
  id: name,
  incarnation: name,
  /** In the dialler's hello, the id of the member that it means to call. In the acceptor's hello, the dialler's id. */
  to: name,
  nonce: z.string().length(nonceDigits),
  receive: z.object({
    frameBytes: limit,
    headBytes: limit,
    payloadBytes: limit,
    reassemblyBytes: limit,
    interleaved: limit,
  }),
});
const proofSchema = z.object({ type: z.literal("proof"), proof: z.string().regex(/^[0-9a-f]{64}$/) });
/** A later version may have other codes. */
const refusalSchema = z.object({ type: z.literal("refused"), code: z.string(), detail: z.string().max(1000) });

type Hello = Readonly<z.infer<typeof helloSchema>>;

/**
 * The dialler's part, with the member `to`. `nonce` is a fresh random id.
 *
 * @throws LinkRefusedError by either end; MalformedError; Error when the connection ends
 */
export async function dialHandshake(
  channel: HandshakeChannel,
  credentials: LinkCredentials,
  to: string,
  nonce: string,
): Promise<EstablishedLink> {
  const ours = formatHello(credentials, to, nonce);
  channel.write(ours);
  const theirs = await channel.read();
  const hello = parseHello(channel, theirs);
  checkCluster(channel, credentials, hello);
  if (hello.id !== to) {
    refuse(channel, { code: "wrong_id", detail: `the node that was called as "${to}" is "${hello.id}"` });
  }
  const { binding } = credentials;
  const secret = credentials.secrets[0] as string;
  channel.write(formatProof(proofOf(secret, "dialler", ours, theirs, binding)));
  provenSecret(channel, await channel.read(), [secret], (each) => proofOf(each, "acceptor", ours, theirs, binding));
  return { peer: { id: hello.id, incarnation: hello.incarnation }, limits: hello.receive };
}

/**
 * The acceptor's part. `judge` may return a reason to refuse the caller. It is asked twice: before anything is told to
 * the caller, and when the caller has proven itself.
 *
 * @throws as {@link dialHandshake}
 */
export async function acceptHandshake(
  channel: HandshakeChannel,
  credentials: LinkCredentials,
  nonce: string,
  judge: (caller: PeerIdentity) => Refusal | undefined,
): Promise<EstablishedLink> {
  const theirs = await channel.read();
  const hello = parseHello(channel, theirs);
  checkCluster(channel, credentials, hello);
  const self = credentials.identity;
  if (hello.to !== self.id) {
    refuse(channel, {
      code: "wrong_id",
      detail: `"${hello.id}" called this node as "${hello.to}", but it is "${self.id}"`,
    });
  }
  const caller = { id: hello.id, incarnation: hello.incarnation };
  const early = judge(caller);
  if (early !== undefined) refuse(channel, early);
  const ours = formatHello(credentials, hello.id, nonce);
  channel.write(ours);
  const secret = provenSecret(channel, await channel.read(), credentials.secrets, (each) =>
    proofOf(each, "dialler", theirs, ours, credentials.binding),
  );
  const late = judge(caller);
  if (late !== undefined) refuse(channel, late);
  channel.write(formatProof(proofOf(secret, "acceptor", theirs, ours, credentials.binding)));
  return { peer: caller, limits: hello.receive };
}

function formatHello(credentials: LinkCredentials, to: string, nonce: string): Buffer {
  assert(nonce.length === nonceDigits, "a nonce has 128 bits");
  const { identity, cluster, clusterId, receive } = credentials;
  const hello: Hello = {
    type: "hello",
    version: protocolVersion,
    cluster,
    ...(clusterId !== undefined && { clusterId }),
    id: identity.id,
    incarnation: identity.incarnation,
    to,
    nonce,
    receive,
  };
  return Buffer.from(JSON.stringify(hello));
}

function formatProof(proof: Buffer): Buffer {
  return Buffer.from(JSON.stringify({ type: "proof", proof: proof.toString("hex") }));
}

/** Each hello has its length before it, so that no two pairs of hellos run together to the same bytes. */
function proofOf(
  secret: string,
  role: "dialler" | "acceptor",
  diallerHello: Buffer,
  acceptorHello: Buffer,
  binding: Buffer,
): Buffer {
  const hmac = createHmac("sha256", secret);
  const bound = binding.length === 0 ? "" : ` tls-exporter ${binding.length}`;
  hmac.update(`weir-peer ${role} ${diallerHello.length} ${acceptorHello.length}${bound}\n`);
  hmac.update(diallerHello);
  hmac.update(acceptorHello);
  hmac.update(binding);
  return hmac.digest();
}

function parseHello(channel: HandshakeChannel, message: Buffer): Hello {
  const json = parseJson(message);
  const { version } = parse(versionSchema, json);
  if (version !== protocolVersion) {
    refuse(channel, {
      code: "version",
      detail: `one node speaks version ${version} of the peer protocol, the other version ${protocolVersion}`,
    });
  }
  return parse(helloSchema, json);
}

function checkCluster(channel: HandshakeChannel, credentials: LinkCredentials, hello: Hello): void {
  const { cluster, clusterId, identity } = credentials;
  if (hello.cluster === cluster) {
    // One that has been in no cluster yet may be about to join this one (V56).
    if (hello.clusterId === undefined || clusterId === undefined || hello.clusterId === clusterId) return;
    refuse(channel, {
      code: "cluster",
      detail: `"${hello.id}" and "${identity.id}" are of two clusters with the name "${cluster}": one of them is over another store, or has the data folder of another cluster`,
    });
  }
  // The detail names the cluster that the other end named itself. It learns no other.
  refuse(channel, {
    code: "cluster",
    detail: `"${hello.id}" is of the cluster "${hello.cluster}", which is not that of "${identity.id}"`,
  });
}

/** The one of `secrets` that the other end has proven to know. `expected` gives the proof that belongs to a secret. */
function provenSecret(
  channel: HandshakeChannel,
  message: Buffer,
  secrets: readonly string[],
  expected: (secret: string) => Buffer,
): string {
  const proof = Buffer.from(parse(proofSchema, parseJson(message)).proof, "hex");
  const secret = secrets.find((each) => timingSafeEqual(proof, expected(each)));
  if (secret !== undefined) return secret;
  return refuse(channel, {
    code: "secret",
    detail: "the two nodes do not have the same cluster secret, or something between them ends their TLS",
  });
}

/** Tells the other end why, and throws. */
function refuse(channel: HandshakeChannel, refusal: Refusal): never {
  channel.write(Buffer.from(JSON.stringify({ type: "refused", ...refusal })));
  throw new LinkRefusedError(refusal, false);
}

function parseJson(message: Buffer): unknown {
  try {
    return JSON.parse(message.toString("utf8"));
  } catch {
    throw new MalformedError("a handshake message that is not JSON");
  }
}

/**
 * Reads what the other end says.
 *
 * @throws LinkRefusedError when it refuses; MalformedError
 */
function parse<Schema extends z.ZodType>(schema: Schema, json: unknown): z.infer<Schema> {
  const refused = refusalSchema.safeParse(json);
  if (refused.success) {
    const code = refusalCodes.find((each) => each === refused.data.code) ?? "version";
    throw new LinkRefusedError({ code, detail: refused.data.detail }, true);
  }
  const result = schema.safeParse(json);
  if (!result.success) throw new MalformedError("a handshake message that is not what it should be");
  return result.data;
}
