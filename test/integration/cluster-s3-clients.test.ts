/**
 * Programs that people use with S3, against three nodes, each with a realistic job: a tree of files with odd names goes
 * in by one node, is listed on another, and comes out of the third. A program that is not installed is skipped.
 */

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it, test } from "node:test";
import { promisify } from "node:util";
import { s3Bucket, s3Key, s3Region, startS3Cluster } from "../harness/s3-cluster.ts";
import { setStage } from "../harness/stage.ts";

const run = promisify(execFile);
const timeout = 180_000;

/** Of a file that goes in parts. */
const largeBytes = 200 * 1024 ** 2;

/** Debian's own: another of the same name may stand before it in the path. */
const programs = {
  aws: "/usr/bin/aws",
  rclone: "/usr/bin/rclone",
  s3cmd: "/usr/bin/s3cmd",
  python: "/usr/bin/python3",
  restic: "/usr/bin/restic",
};

/** Why a program cannot be used. False if it can. */
function missing(program: keyof typeof programs, ...args: string[]): string | false {
  try {
    execFileSync(programs[program], args, { stdio: "ignore", env: {} });
    return false;
  } catch {
    return `${program} is not installed: .ci/run installs it`;
  }
}

const noAws = missing("aws", "--version");
const noRclone = missing("rclone", "version");
const noS3cmd = missing("s3cmd", "--version");
const noRestic = missing("restic", "version");
const noBoto = missing("python", "-c", "import boto3");

const environment = {
  AWS_ACCESS_KEY_ID: s3Key.accessKeyId,
  AWS_SECRET_ACCESS_KEY: s3Key.secretAccessKey,
  AWS_DEFAULT_REGION: s3Region,
  AWS_EC2_METADATA_DISABLED: "true",
  LC_ALL: "C.UTF-8",
  PATH: "/usr/bin:/bin",
  RESTIC_PASSWORD: "a password of the tests",
};

const files: Readonly<Record<string, string>> = {
  "plain.txt": "plain",
  "empty": "",
  "a b/c+d.txt": "spaces and plus",
  "ümläut/日本語.txt": "not ASCII",
  "odd/%41&=?;,:@$'()*!~#.bin": "signs",
  "deep/1/2/3/4/5.txt": "deep",
  "large.bin": "0123456789abcdef".repeat(1_500_000),
}; // biome-ignore format: a table

function writeTree(folder: string): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

function assertTree(folder: string): void {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  assert.deepEqual(found.toSorted(), Object.keys(files).toSorted());
  for (const name of found) assert.equal(readFileSync(join(folder, name), "utf8"), files[name], name);
}

/** Of s3cmd, for requests to this address. Returns the file's name. */
function writeS3cmdConfig(folder: string, url: string): string {
  const { host } = new URL(url);
  const settings = [
    `access_key = ${s3Key.accessKeyId}`,
    `secret_key = ${s3Key.secretAccessKey}`,
    `host_base = ${host}`,
    `host_bucket = ${host}`,
    "use_https = False",
  ];
  writeFileSync(join(folder, "s3cfg"), `[default]\n${settings.join("\n")}\n`);
  return "s3cfg";
}

/** Runs a program in the folder, which is the home of its user. */
async function call(folder: string, program: keyof typeof programs, args: readonly string[]): Promise<string> {
  const env = { ...environment, HOME: folder };
  try {
    const { stdout } = await run(programs[program], args, { env, cwd: folder, maxBuffer: 16 * 1024 * 1024 });
    return stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}\n${stderr}`, { cause: error });
  }
}

describe("programs for S3", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await startS3Cluster()) }));

  it("awscli syncs a tree in and out, by another node each time", { timeout, skip: noAws }, async () => {
    const { cluster } = stage();
    const folder = mkdtempSync(join(cluster.folder, "client-"));
    const [a, b, c] = cluster.urls as [string, string, string];
    const config = join(folder, ".aws");
    mkdirSync(config);
    writeFileSync(join(config, "config"), "[default]\ns3 =\n  addressing_style = path\n");
    const tree = writeTree(join(folder, "tree"));
    const aws = (url: string, ...args: string[]): Promise<string> =>
      call(folder, "aws", ["--endpoint-url", url, ...args]);
    await aws(a, "s3", "sync", tree, `s3://${s3Bucket}/aws/`, "--only-show-errors");
    const listing = await aws(b, "s3", "ls", "--recursive", `s3://${s3Bucket}/aws/`);
    for (const name of Object.keys(files)) assert.ok(listing.includes(` aws/${name}\n`), `${name} in ${listing}`);
    await aws(c, "s3", "sync", `s3://${s3Bucket}/aws/`, "out", "--only-show-errors");
    assertTree(join(folder, "out"));
    await aws(b, "s3", "mv", `s3://${s3Bucket}/aws/plain.txt`, `s3://${s3Bucket}/aws/moved.txt`, "--only-show-errors");
    await aws(a, "s3", "mb", "s3://made");
    await aws(c, "s3", "cp", "--recursive", `s3://${s3Bucket}/aws/`, "s3://made/", "--only-show-errors");
    assert.equal(await aws(a, "s3", "cp", "s3://made/moved.txt", "-"), "plain");
    assert.match(await aws(a, "s3", "ls"), / made$/m);
    await aws(b, "s3", "rb", "--force", "s3://made");
    const address = (await aws(a, "s3", "presign", `s3://${s3Bucket}/aws/moved.txt`)).trim();
    assert.equal(await (await fetch(address)).text(), "plain");
    await aws(c, "s3", "rm", "--recursive", `s3://${s3Bucket}/aws/`, "--only-show-errors");
    assert.equal(await aws(a, "s3", "ls", `s3://${s3Bucket}/`), "");
  });

  it("rclone syncs a tree in, checks it by hashes, and syncs it out", { timeout, skip: noRclone }, async () => {
    const { cluster } = stage();
    const folder = mkdtempSync(join(cluster.folder, "client-"));
    const tree = writeTree(join(folder, "tree"));
    const remotes = cluster.urls.map((url, index) => {
      const settings = ["type = s3", "provider = Other", "env_auth = true", `endpoint = ${url}`, "upload_cutoff = 6M", "chunk_size = 5M", "region = us-east-1"];
      return `[${"abc"[index] as string}]\n${settings.join("\n")}\n`;
    });
    writeFileSync(join(folder, "rclone.conf"), remotes.join("\n"));
    const rclone = (...args: string[]): Promise<string> => call(folder, "rclone", ["--config", "rclone.conf", "--retries", "1", ...args]);
    await rclone("sync", tree, `a:${s3Bucket}/rclone`);
    await rclone("check", tree, `b:${s3Bucket}/rclone`);
    await rclone("sync", `c:${s3Bucket}/rclone`, "out");
    assertTree(join(folder, "out"));
    await rclone("copy", `a:${s3Bucket}/rclone`, `a:${s3Bucket}/copied`);
    await rclone("check", tree, `c:${s3Bucket}/copied`);
    cpSync(tree, join(folder, "less"), { recursive: true, filter: (path) => !path.includes("deep") });
    await rclone("sync", "less", `b:${s3Bucket}/rclone`);
    assert.ok(!(await rclone("lsf", "-R", `a:${s3Bucket}/rclone`)).includes("deep"));
    await rclone("purge", `c:${s3Bucket}/rclone`);
    assert.equal(await rclone("lsf", `a:${s3Bucket}`), "copied/\n");
    await rclone("purge", `b:${s3Bucket}/copied`);
  }); // biome-ignore format: long calls

  it("s3cmd puts a tree, lists, copies and gets it", { timeout, skip: noS3cmd }, async () => {
    const { cluster } = stage();
    const folder = mkdtempSync(join(cluster.folder, "client-"));
    const tree = writeTree(join(folder, "tree"));
    const s3cmd = (url: string, ...args: string[]): Promise<string> =>
      call(folder, "s3cmd", ["-c", writeS3cmdConfig(folder, url), "--no-progress", ...args]);
    const [a, b, c] = cluster.urls as [string, string, string];
    await s3cmd(a, "sync", `${tree}/`, `s3://${s3Bucket}/s3cmd/`);
    const listing = await s3cmd(b, "ls", "--recursive", `s3://${s3Bucket}/s3cmd/`);
    for (const name of Object.keys(files)) assert.ok(listing.includes(`/s3cmd/${name}\n`), `${name} in ${listing}`);
    mkdirSync(join(folder, "out"));
    await s3cmd(c, "sync", `s3://${s3Bucket}/s3cmd/`, "out/");
    assertTree(join(folder, "out"));
    await s3cmd(a, "cp", `s3://${s3Bucket}/s3cmd/plain.txt`, `s3://${s3Bucket}/s3cmd/copy.txt`);
    await s3cmd(b, "info", `s3://${s3Bucket}/s3cmd/copy.txt`);
    for (const name of ["a b/c+d.txt", "ümläut/日本語.txt", "odd/%41&=?;,:@$'()*!~#.bin"]) {
      const address = await s3cmd(a, "signurl", `s3://${s3Bucket}/s3cmd/${name}`, "+60");
      assert.match(address, /AWSAccessKeyId=/);
      assert.equal(await (await fetch(address.trim())).text(), files[name]);
    }
    await s3cmd(b, "info", `s3://${s3Bucket}`);
    await s3cmd(c, "mb", "s3://made");
    await s3cmd(a, "rb", "s3://made");
    await s3cmd(b, "del", "--recursive", "--force", `s3://${s3Bucket}/s3cmd/`);
    assert.equal(await s3cmd(c, "ls", `s3://${s3Bucket}/`), "");
  }); // biome-ignore format: long calls

  it("an application of boto3 works as it does with AWS", { timeout, skip: noBoto }, async () => {
    const { cluster } = stage();
    const folder = mkdtempSync(join(cluster.folder, "client-"));
    const script = join(import.meta.dirname, "..", "harness", "s3-clients.py");
    assert.equal(await call(folder, "python", [script, ...cluster.urls, s3Bucket]), "done\n");
  });

  it("restic backs a tree up, checks it, restores it, and forgets an old state of it", { timeout, skip: noRestic }, async () => {
    const { cluster } = stage();
    const folder = mkdtempSync(join(cluster.folder, "client-"));
    const tree = writeTree(join(folder, "tree"));
    const restic = (url: string, ...args: string[]): Promise<string> =>
      call(folder, "restic", ["--no-cache", "-r", `s3:${url}/${s3Bucket}/restic`, "-o", "s3.bucket-lookup=path", ...args]);
    const [a, b, c] = cluster.urls as [string, string, string];
    await restic(a, "init");
    await restic(b, "backup", tree);
    await restic(c, "check", "--read-data");
    writeFileSync(join(tree, "more.bin"), randomBytes(6_000_000));
    await restic(a, "backup", tree);
    await restic(b, "forget", "--keep-last", "1", "--prune");
    rmSync(join(tree, "more.bin"));
    await restic(c, "check", "--read-data");
    await restic(a, "restore", "latest", "--target", "out", "--exclude", "more.bin");
    assertTree(join(folder, "out", tree));
  }); // biome-ignore format: long calls
});

test("programs send a large file in parts while a node is killed, and it comes out whole", { timeout, skip: noAws }, async () => {
  // Its own: by the first records of parts in the store it is seen that the upload is under way.
  await using cluster = await startS3Cluster();
  const { folder } = cluster;
  const [a, b, c] = cluster.urls as [string, string, string];
  mkdirSync(join(folder, ".aws"));
  writeFileSync(join(folder, ".aws", "config"), "[default]\ns3 =\n  addressing_style = path\n  multipart_chunksize = 5MB\n  max_concurrent_requests = 2\n");
  const bytes = randomBytes(40_000_000);
  writeFileSync(join(folder, "random.bin"), bytes);
  const aws = (url: string, ...args: string[]): Promise<string> => call(folder, "aws", ["--endpoint-url", url, ...args]);
  const copied = aws(a, "s3", "cp", "random.bin", `s3://${s3Bucket}/random.bin`, "--only-show-errors");
  // The cluster's own records of the upload get into the store like any values.
  const records = join(cluster.storeFolder, ".weir", "s3-parts");
  await cluster.until(60_000, "the upload is under way", () => Promise.resolve(existsSync(records)));
  await cluster.process("c").kill();
  await copied;
  await aws(b, "s3", "cp", `s3://${s3Bucket}/random.bin`, "out.bin", "--only-show-errors");
  assert.ok(readFileSync(join(folder, "out.bin")).equals(bytes));
  cluster.restart("c");
  await cluster.untilReady();
  await aws(c, "s3", "cp", `s3://${s3Bucket}/random.bin`, `s3://${s3Bucket}/copy.bin`, "--only-show-errors");
  await aws(a, "s3", "cp", `s3://${s3Bucket}/copy.bin`, "copy.bin", "--only-show-errors");
  assert.ok(readFileSync(join(folder, "copy.bin")).equals(bytes));
}); // biome-ignore format: long calls

test("a program that was killed in the middle of 200 MiB goes on with its upload on another node", {
  timeout,
  skip: noS3cmd,
}, async () => {
  // Its own: by the records of parts in the store it is seen how far the upload has come.
  await using cluster = await startS3Cluster();
  const { folder } = cluster;
  const [a, b, c] = cluster.urls as [string, string, string];
  const bytes = randomBytes(largeBytes);
  writeFileSync(join(folder, "large.bin"), bytes);
  const object = `s3://${s3Bucket}/large.bin`;
  const put = (url: string): string[] => ["-c", writeS3cmdConfig(folder, url), "--no-progress", "put", "large.bin", object];
  const options = { env: { ...environment, HOME: folder }, cwd: folder };

  const killed = new AbortController();
  const first = run(programs.s3cmd, put(a), { ...options, signal: killed.signal, killSignal: "SIGKILL" });
  const ended = assert.rejects(first, { name: "AbortError" });
  const records = join(cluster.storeFolder, ".weir", "s3-parts");
  const sent = (): number => (existsSync(records) ? readdirSync(records, { recursive: true }).length : 0);
  await cluster.until(60_000, "some parts are sent", () => Promise.resolve(sent() > 6));
  killed.abort();
  await ended;
  assert.ok(!(await call(folder, "s3cmd", ["-c", writeS3cmdConfig(folder, c), "ls", object])).includes(object));

  const { stderr } = await run(programs.s3cmd, [...put(b), "--continue-put"], options);
  const skipped = stderr.match(/size and md5sum match for .* part \d+, skipping/g) ?? [];
  assert.ok(skipped.length >= 3 && skipped.length < 14, `${skipped.length} of 14 parts were not sent again: ${stderr}`);
  await call(folder, "s3cmd", ["-c", writeS3cmdConfig(folder, c), "--no-progress", "get", object, "out.bin"]);
  assert.ok(readFileSync(join(folder, "out.bin")).equals(bytes));
  assert.match(await call(folder, "s3cmd", ["-c", writeS3cmdConfig(folder, a), "multipart", `s3://${s3Bucket}`]), /^.*\n[^\n]*\n$/);
}); // biome-ignore format: long calls
