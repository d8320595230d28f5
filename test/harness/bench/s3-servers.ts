/**
 * The S3 front of three nodes against other servers of S3 on the same cores: Ceph's gateway, and those that npm has.
 * Each gets the same signed requests from the same generator, and each answer must be a success. Before a PUT is
 * answered:
 *
 * - weir has the value in the memory of two processes, or on their disks as well. Flushing to the store comes later. It
 *   is left out.
 * - Ceph's gateway has it in another process, in one copy. That process keeps it in memory, where a real one has a
 *   disk.
 * - @20minutes/s3rver has it in a file, which may not be on the disk yet.
 * - fauxqs has it in a map of its own. It looks at no signature, so the figure is not about it.
 */

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { request } from "undici";
import { startGateway } from "../s3-gateway.ts";
import { type TestKey, testKey } from "../s3-request.ts";
import { freshBucket, s3ServerFromEnvironment } from "../s3-server.ts";
import { cpuMicrosOf, Processes } from "./processes.ts";
import { median, type Row, rate } from "./report.ts";
import { interleaved, ratio, restOf, type Settings, scaled } from "./rounds.ts";
import { clusterBucket, signedRequests, startS3Cluster } from "./s3-cluster.ts";
import { TemporaryFolder } from "./temporary-folder.ts";
import { runWrk, type WrkPlan, type WrkRequest } from "./wrk.ts";

interface Server {
  readonly name: string;
  readonly url: string;
  readonly bucket: string;
  readonly key: TestKey;
  /** Whether it looks at signatures. */
  readonly verifies: boolean;
  /** Of all its processes. */
  cpuMicros(): number;
}

interface Size {
  readonly label: string;
  readonly bytes: number;
  readonly keys: number;
  readonly connections: number;
  readonly target?: Row["target"];
}

const sizes: readonly Size[] = [
  { label: "1 KiB", bytes: 1_024, keys: 2_000, connections: 32, target: { least: 5 } },
  { label: "64 KiB", bytes: 65_536, keys: 500, connections: 32 },
  // The largest that weir buffers. With more connections the bodies under way would be more than a node takes.
  { label: "4 MiB", bytes: 4_194_304, keys: 16, connections: 8 },
];
const warmUpSeconds = 1;
const fillers = 8;
/** The folder in which packages of npm are installed. */
const folderVariable = "WEIR_BENCH_NPM";
/** Servers of npm, and what they know of keys. s3rver has one key. */
const packages = [
  { name: "@20minutes/s3rver", verifies: true, key: { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" } },
  { name: "fauxqs", verifies: false, key: testKey },
] as const;

/** By what the row says of it. */
type Ours = Readonly<Record<string, Server>>;

export async function compareS3Servers(settings: Settings): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const others = [...(await startCeph(stack)), ...(await startPackages(stack))];
  if (!others.some(({ verifies }) => verifies)) {
    console.error("s3-servers: left out; there is nothing to compare with");
    return [];
  }
  const onDisk = await startWeir(stack, true);
  const inMemory = await startWeir(stack, false);
  const rows: Row[] = [];
  for (const size of settings.scale < 1 ? sizes.slice(0, 1) : sizes) {
    const puts = { "2 copies on disk": onDisk, "2 copies in memory": inMemory };
    rows.push(...(await compare(settings, size, "PUT", puts, others)));
    rows.push(...(await compare(settings, size, "GET", { "of a buffered value": onDisk }, others)));
  }
  return rows;
}

async function compare(
  settings: Settings,
  size: Size,
  method: WrkPlan["method"],
  ours: Ours,
  others: readonly Server[],
): Promise<Row[]> {
  const keys = Array.from({ length: scaled(size.keys, settings) }, (_, i) => `bench/object-${i}`);
  const servers = [...Object.values(ours), ...others];
  // So that no GET misses.
  for (const server of servers) await fill(server, keys, size.bytes);
  const micros = new Map<Server, number[]>(servers.map((server) => [server, []]));
  const run = (server: Server) => async (warmUp: boolean) => {
    // Anew each time: a signature is good for 15 minutes.
    const requests = await signedRequests({ ...server, method, keys, bytes: size.bytes });
    const seconds = warmUp ? warmUpSeconds : settings.seconds;
    const before = server.cpuMicros();
    const result = await runWrk({ ...size, url: server.url, method, requests, seconds, ...restOf(settings) });
    if (!warmUp) micros.get(server)?.push((server.cpuMicros() - before) / result.requests);
    return result.perSecond;
  };
  const figures = await interleaved(settings, Object.fromEntries(servers.map((server) => [server.name, run(server)])));
  const of = ({ name }: Server): readonly number[] => figures[name] as readonly number[];
  const describe = (server: Server): string =>
    `${rate(median(of(server)))} (${median(micros.get(server) ?? []).toFixed(0)} µs)`;
  const compared = others.filter(({ verifies }) => verifies);
  const fastest = compared.reduce((best, each) => (median(of(each)) > median(of(best)) ? each : best));
  return Object.entries(ours).map(([what, server]) => ({
    what: `${method} ${size.label} by S3, signed, ${what}, clients on one of 3 nodes`,
    weir: describe(server),
    against: others.map((other) => `${other.name} ${describe(other)}`).join("; "),
    figure: ratio(of(server), of(fastest)),
    digits: 2,
    unit: "",
    ...(size.target && { target: size.target }),
  }));
}

/** Puts each key once, and reads one again: who answers wrong must not be compared. */
async function fill(server: Server, keys: readonly string[], bytes: number): Promise<void> {
  const plan = { ...server, keys, bytes };
  const body = "x".repeat(bytes);
  const puts = (await signedRequests({ ...plan, method: "PUT" })).values();
  await Promise.all(
    Array.from({ length: fillers }, async () => {
      for (const put of puts) await send(server, "PUT", put, body);
    }),
  );
  const [get] = await signedRequests({ ...plan, method: "GET", keys: keys.slice(0, 1) });
  const value = await send(server, "GET", get as WrkRequest, null);
  if (value !== body) throw new Error(`${server.name} gave another value than it was given`);
}

async function send(
  { name, url }: Server,
  method: WrkPlan["method"],
  { path, headers = {} }: WrkRequest,
  body: string | null,
): Promise<string> {
  const { statusCode, body: answer } = await request(url + path, { method, headers, body });
  const text = await answer.text();
  if (statusCode !== 200) throw new Error(`${name} answered a ${method} with ${statusCode}: ${text.slice(0, 1_000)}`);
  return text;
}

async function startWeir(stack: AsyncDisposableStack, journal: boolean): Promise<Server> {
  const cluster = stack.use(await startS3Cluster({ journal }));
  return {
    name: journal ? "weir on disk" : "weir in memory",
    url: cluster.node("a").url,
    bucket: clusterBucket,
    key: testKey,
    verifies: true,
    cpuMicros: () => cluster.cpuMicros(),
  };
}

async function startCeph(stack: AsyncDisposableStack): Promise<Server[]> {
  const gateway = await startGateway();
  if ("missing" in gateway) {
    console.error(`s3-servers: without Ceph's gateway: ${gateway.missing}`);
    return [];
  }
  stack.use(gateway);
  const server = s3ServerFromEnvironment(gateway.env);
  if (typeof server === "string") throw new Error(server);
  const { bucket } = await freshBucket(server);
  const cpuMicros = () => gateway.pids.reduce((sum, pid) => sum + cpuMicrosOf(pid), 0);
  return [{ name: "Ceph's gateway", url: server.endpoint, bucket, key: server, verifies: true, cpuMicros }];
}

async function startPackages(stack: AsyncDisposableStack): Promise<Server[]> {
  const folder = process.env[folderVariable];
  if (folder === undefined) {
    const names = packages.map(({ name }) => name).join(" ");
    console.error(`s3-servers: without servers of npm: npm install --prefix FOLDER ${names}; ${folderVariable}=FOLDER`);
    return [];
  }
  const processes = stack.use(new Processes());
  const script = join(import.meta.dirname, "npm-s3-server.ts");
  const servers: Server[] = [];
  for (const { name, ...rest } of packages) {
    const data = stack.use(new TemporaryFolder());
    const args = [script, name, resolve(folder), data.path, clusterBucket];
    const server = processes.start(process.execPath, args, { readsOutput: true });
    const url = await server.firstLine();
    const description = readFileSync(join(folder, "node_modules", name, "package.json"), "utf8");
    const { version } = JSON.parse(description) as { readonly version: string };
    const cpuMicros = () => server.cpuMicros();
    servers.push({ ...rest, name: `${name} ${version}`, url, bucket: clusterBucket, cpuMicros });
  }
  return servers;
}
