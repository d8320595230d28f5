/**
 * cluster.json, checked and completed. It is the same file on every host, and every mistake in it is reported at once.
 * The result is frozen, has every setting filled in, and shows no secret when it is printed.
 */

import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { OperatingError } from "../base/errors.ts";
import { type BufferConfig, completeBuffer, memoryLimitBytes } from "./buffer-size.ts";
import { crossMistakes, orderMistakes, timeMistakes } from "./cross-checks.ts";
import { jsonMistake, repeatedNames } from "./json-mistake.ts";
import { formatPath, type Mistake, mistakesMessage, schemaMistakes } from "./mistakes.ts";
import { configSchema, type RawConfig } from "./schema.ts";
import { readSecret, Secret } from "./secret.ts";

export type NodeConfig = Readonly<RawConfig["nodes"][number]>;

type RawStore = RawConfig["store"];

export type StoreConfig =
  | (Readonly<Omit<Extract<RawStore, { type: "s3" }>, "accessKeyId" | "secretAccessKey" | "forcePathStyle">> & {
      readonly forcePathStyle: boolean;
      readonly accessKeyId?: Secret;
      readonly secretAccessKey?: Secret;
    })
  | (Readonly<Omit<Extract<RawStore, { type: "azure" }>, "accountKey" | "connectionString">> & {
      readonly accountKey?: Secret;
      readonly connectionString?: Secret;
    })
  /** The path is absolute. */
  | Readonly<Extract<RawStore, { type: "file" }>>;

/** The paths are absolute. */
export type TlsConfig = Readonly<NonNullable<RawConfig["tls"]>>;

type RawAuth = Extract<NonNullable<RawConfig["auth"]>, object>;

export type S3KeyConfig = Readonly<Omit<RawAuth["s3Keys"][number], "secret">> & { readonly secret: Secret };

export type AuthConfig = "none" | { readonly tokens: RawAuth["tokens"]; readonly s3Keys: readonly S3KeyConfig[] };

export type S3Config = Readonly<Omit<RawConfig["s3"], "buckets">> & {
  readonly buckets: Readonly<NonNullable<RawConfig["s3"]["buckets"]>>;
};

export interface Config
  extends Readonly<Omit<RawConfig, "tls" | "secret" | "store" | "buffer" | "nodes" | "auth" | "s3">> {
  /** The first is used, each is accepted. */
  readonly secret: readonly Secret[];
  readonly tls?: TlsConfig;
  readonly auth?: AuthConfig;
  readonly s3: S3Config;
  readonly store: StoreConfig;
  readonly nodes: readonly NodeConfig[];
  readonly buffer: BufferConfig;
  /** Absolute. A node's own folder is {@link dataFolder}. */
  readonly data: string;
}

/** Where {@link parseConfig} finds what the file leaves open. */
export interface ConfigContext {
  /** The file as messages name it. */
  readonly fileName: string;
  /** Relative paths in the file are taken from this folder. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Bytes of memory that this process may use. */
  readonly memoryBytes: number;
  /**
   * Who reads the file, which decides what must be there:
   *
   * - `member` needs the secrets, and buffers that fit into the memory.
   * - `store` needs only the keys of the store: it looks at what the cluster keeps there.
   * - `client` needs none of these. It only looks up urls, perhaps on a host that is no member.
   */
  readonly purpose: "member" | "store" | "client";
}

/** The region of every S3 server other than AWS's own. */
const endpointRegion = "us-east-1";

/** A shorter secret can be guessed off line by anyone who sees one handshake. */
const minSecretBytes = 16;

/**
 * Reads and checks the file at `path`.
 *
 * @throws OperatingError `config_invalid`; its message names every mistake
 */
export function loadConfig(path: string, options: Pick<ConfigContext, "env" | "purpose">): Config {
  return parseConfig(readConfigFile(path), fileContext(path, options));
}

const unreadable: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "permission denied",
};

/**
 * The text of the file at `path`.
 *
 * @throws OperatingError `config_invalid` when it can't be read
 */
export function readConfigFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason = (code !== undefined && unreadable[code]) || String(cause);
    throw new OperatingError("config_invalid", `can't read ${path}: ${reason}`, { cause });
  }
}

/** The context of a file at `path` on this host. */
export function fileContext(path: string, options: Pick<ConfigContext, "env" | "purpose">): ConfigContext {
  return { ...options, fileName: path, folder: dirname(resolve(path)), memoryBytes: memoryLimitBytes() };
}

/** The folder of a node's journal. Several nodes of one host share a cluster.json, so each has a folder of its own. */
export function dataFolder({ data }: Config, nodeId: string): string {
  return join(data, nodeId);
}

/**
 * Checks and completes the text of a cluster.json.
 *
 * @throws OperatingError `config_invalid`; its message names every mistake
 */
export function parseConfig(content: string, context: ConfigContext): Config {
  // Some editors put a byte order mark in front.
  const text = content.replace(/^\u{FEFF}/u, "");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The runtime's error quotes the text, which may hold a secret in the wrong place. So it is not kept, not even as
    // the cause.
    throw new OperatingError("config_invalid", `${context.fileName} is not JSON: ${jsonMistake(text)}`);
  }
  const result = configSchema.safeParse(json, { reportInput: true });
  const mistakes = [
    ...repeatedNames(text).map(({ path, line }) => ({
      path: formatPath(path),
      text: `is there twice, the second time in line ${line}`,
    })),
    ...(result.success ? [] : schemaMistakes(result.error.issues)),
    ...crossMistakes(json, context),
  ];
  const secrets = new Map<string, Secret>();
  if (result.success) {
    const raw = result.data;
    mistakes.push(...orderMistakes(raw), ...timeMistakes(raw), ...folderMistakes(raw, context));
    mistakes.push(...resolveSecrets(raw, context, secrets));
  }
  if (!result.success || mistakes.length > 0) {
    throw new OperatingError("config_invalid", mistakesMessage(context.fileName, mistakes));
  }
  return freeze(complete(result.data, context, secrets));
}

/** What lies in the folder of a store is served: its files are values that clients read and write. */
function folderMistakes({ store, data, journal }: RawConfig, { folder }: ConfigContext): Mistake[] {
  if (store.type !== "file" || journal === "off") return [];
  const storePath = resolve(folder, store.path);
  const fromStore = relative(storePath, resolve(folder, data));
  if (/^\.\.(?:\/|$)/.test(fromStore)) return [];
  return [{ path: "data", text: `lies in the folder of the store, ${storePath}, where it would be served as values` }];
}

function resolveSecrets(raw: RawConfig, context: ConfigContext, secrets: Map<string, Secret>): Mistake[] {
  const s3 = raw.store.type === "s3" ? raw.store : undefined;
  const azure = raw.store.type === "azure" ? raw.store : undefined;
  const references: (readonly [path: string, reference: string | undefined])[] = [
    ...secretReferences(raw).map((reference, index) => [secretPath(raw, index), reference] as const),
    ...s3KeysOf(raw).map(({ secret }, index) => [s3SecretPath(index), secret] as const),
    ["store.accessKeyId", s3?.accessKeyId],
    ["store.secretAccessKey", s3?.secretAccessKey],
    ["store.accountKey", azure?.accountKey],
    ["store.connectionString", azure?.connectionString],
  ];
  const mistakes: Mistake[] = [];
  if ((s3?.accessKeyId === undefined) !== (s3?.secretAccessKey === undefined)) {
    mistakes.push({ path: "store", text: "must have both accessKeyId and secretAccessKey, or neither" });
  }
  if (azure?.connectionString !== undefined && (azure.account ?? azure.endpoint ?? azure.accountKey) !== undefined) {
    mistakes.push({ path: "store", text: "must have connectionString, or account with what belongs to it, not both" });
  }
  for (const [path, reference] of references) {
    if (reference === undefined) continue;
    if (context.purpose === "client" || (context.purpose === "store" && !path.startsWith("store"))) {
      secrets.set(path, new Secret(reference, undefined));
      continue;
    }
    const read = readSecret(reference, context.env, context.folder);
    if ("mistake" in read) {
      mistakes.push({ path, text: read.mistake });
    } else if (!path.startsWith("store") && Buffer.byteLength(read.value) < minSecretBytes) {
      const way = path.startsWith("secret") ? "openssl rand -hex 32" : "weir token --s3";
      mistakes.push({ path, text: `is too short: at least ${minSecretBytes} bytes; make one with "${way}"` });
    } else {
      secrets.set(path, new Secret(reference, read.value));
    }
  }
  return mistakes;
}

function secretReferences({ secret }: RawConfig): readonly string[] {
  return typeof secret === "string" ? [secret] : secret;
}

function secretPath({ secret }: RawConfig, index: number): string {
  return typeof secret === "string" ? "secret" : `secret[${index}]`;
}

function s3KeysOf({ auth }: RawConfig): RawAuth["s3Keys"] {
  return typeof auth === "object" ? auth.s3Keys : [];
}

function s3SecretPath(index: number): string {
  return `auth.s3Keys[${index}].secret`;
}

function complete(
  { tls, auth, ...raw }: RawConfig,
  context: ConfigContext,
  secrets: ReadonlyMap<string, Secret>,
): Config {
  return {
    ...raw,
    ...(tls !== undefined && { tls: completeTls(tls, context.folder) }),
    ...(auth !== undefined && { auth: completeAuth(auth, secrets) }),
    s3: { ...raw.s3, buckets: raw.s3.buckets ?? [{ name: bucketOf(raw), prefix: "" }] },
    secret: secretReferences(raw).map((_, index) => secrets.get(secretPath(raw, index)) as Secret),
    store: completeStore(raw.store, context, secrets),
    data: resolve(context.folder, raw.data),
    buffer: completeBuffer(raw.buffer, context.memoryBytes),
  };
}

function completeAuth(auth: NonNullable<RawConfig["auth"]>, secrets: ReadonlyMap<string, Secret>): AuthConfig {
  if (auth === "none") return auth;
  const s3Keys = auth.s3Keys.map((key, index) => ({ ...key, secret: secrets.get(s3SecretPath(index)) as Secret }));
  return { tokens: auth.tokens, s3Keys };
}

/** The bucket that stands for all keys where the configuration names none. */
function bucketOf({ store, cluster }: RawConfig): string {
  if (store.type === "s3") return store.bucket;
  return store.type === "azure" ? store.container : cluster;
}

/** The paths, relative to the folder, made absolute. */
export function completeTls({ cert, key, ca, clientCa, warnDays }: TlsConfig, folder: string): TlsConfig {
  return {
    cert: resolve(folder, cert),
    key: resolve(folder, key),
    ...(ca !== undefined && { ca: resolve(folder, ca) }),
    ...(clientCa !== undefined && { clientCa: resolve(folder, clientCa) }),
    warnDays,
  };
}

function completeStore(store: RawStore, context: ConfigContext, secrets: ReadonlyMap<string, Secret>): StoreConfig {
  if (store.type === "file") return { ...store, path: resolve(context.folder, store.path) };
  if (store.type === "azure") {
    const { accountKey: _key, connectionString: _text, ...rest } = store;
    const accountKey = secrets.get("store.accountKey");
    const connectionString = secrets.get("store.connectionString");
    return {
      ...rest,
      ...(accountKey !== undefined && { accountKey }),
      ...(connectionString !== undefined && { connectionString }),
    };
  }
  const { accessKeyId: _id, secretAccessKey: _key, forcePathStyle, ...rest } = store;
  const accessKeyId = secrets.get("store.accessKeyId");
  const secretAccessKey = secrets.get("store.secretAccessKey");
  return {
    ...rest,
    ...(store.endpoint !== undefined && store.region === undefined && { region: endpointRegion }),
    // Servers other than AWS seldom have a host name for each bucket.
    forcePathStyle: forcePathStyle ?? store.endpoint !== undefined,
    ...(accessKeyId !== undefined && { accessKeyId }),
    ...(secretAccessKey !== undefined && { secretAccessKey }),
  };
}

function freeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) {
    if (typeof child === "object" && child !== null && !Object.isFrozen(child)) freeze(child);
  }
  return Object.freeze(value);
}
