/**
 * The S3 store against a real server: the port's suite, what the probe finds out, and what may never take effect late.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  GetObjectCommand,
  HeadObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { type Clock, sleep } from "../../src/base/clock.ts";
import { isOperatingError } from "../../src/base/errors.ts";
import { noHeaders } from "../../src/core/entry.ts";
import type { WriteCondition } from "../../src/store/blob-store.ts";
import { S3Client as OwnClient } from "../../src/store/s3/s3-client.ts";
import { S3Store, type S3StoreSettings } from "../../src/store/s3/s3-store.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { freshBucket, s3ServerFromEnvironment } from "../harness/s3-server.ts";
import { blobStoreSuite } from "./blob-store-suite.ts";
import { largeBlobSuite } from "./large-blob-suite.ts";
import { partedUploadSuite } from "./parted-upload-suite.ts";

const ports = { clock: systemClock, random: systemRandom };
const options = { deadlineMs: 20_000 };
const always: WriteCondition = { kind: "always" };
const server = s3ServerFromEnvironment();

if (typeof server === "string") test("S3Store", { skip: server });
else {
  for (const suite of [blobStoreSuite, largeBlobSuite, partedUploadSuite]) {
    suite("S3Store", async () => new S3Store(await freshBucket(server), ports));
  }

  describe("S3Store", () => {
    let settings: S3StoreSettings;
    let sdk: S3Client;

    before(async () => {
      settings = await freshBucket(server);
      const { accessKeyId, secretAccessKey, endpoint, region } = server;
      sdk = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
    });

    after(() => {
      sdk.destroy();
    });

    async function probeError(changes: Partial<S3StoreSettings>, code: "store_refused" | "store_unavailable") {
      await using store = new S3Store({ ...settings, ...changes }, ports);
      const error = await store.probe(options).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      assert(isOperatingError(error, code), String(error));
      return error.message;
    }

    test("names a wrong secret key, a wrong access key and a missing bucket when it is probed", async () => {
      assert.match(await probeError({ secretAccessKey: "wrong" }, "store_refused"), /SignatureDoesNotMatch.*check the/);
      assert.match(
        await probeError({ accessKeyId: "wrong" }, "store_refused"),
        /InvalidAccessKeyId.*check the access key/,
      );
      assert.match(
        await probeError({ bucket: "no-such-bucket-here" }, "store_refused"),
        /bucket no-such-bucket-here does not exist/,
      );
    });

    test("finds out that this server ignores conditions where an upload is completed, and leaves no upload", async () => {
      await using store = new S3Store(settings, ports);
      const { conditionalCompletions, notes } = await store.probe(options);
      assert.equal(conditionalCompletions, false);
      assert.match(notes.join(), /ignores conditions where an upload is completed/);
      assert.deepEqual(await store.listUploads(options), []);
    });

    test("refuses a versioned bucket of a server that ignores conditions there", async () => {
      const versioned = await freshBucket(server, true);
      assert.match(await probeError({ bucket: versioned.bucket }, "store_refused"), /versioning enabled/);
    });

    test("meets conflicts beside the very tag once versioning is switched on for a live bucket, as long as it is on", async () => {
      const live = await freshBucket(server);
      await using store = new S3Store(live, ports);
      await store.probe(options);
      const content = { body: Buffer.from("x"), headers: {} };
      const onShown = async (name: string): Promise<string> => {
        const tag = (await store.stat(name, options))?.tag;
        const condition: WriteCondition = tag === undefined ? { kind: "absent" } : { kind: "unchanged", tag };
        return (await store.write(name, content, condition, options)).kind;
      };
      const switchTo = async (Status: "Enabled" | "Suspended"): Promise<void> => {
        await sdk.send(new PutBucketVersioningCommand({ Bucket: live.bucket, VersioningConfiguration: { Status } }));
      };
      assert.deepEqual([await onShown("a"), await onShown("a")], ["written", "written"]);
      await switchTo("Enabled");
      assert.deepEqual(
        [await onShown("a"), await onShown("a"), await onShown("a")],
        ["conflict", "conflict", "conflict"],
      );
      await switchTo("Suspended");
      assert.deepEqual([await onShown("a"), await onShown("b")], ["written", "written"]);
      // What was removed leaves a marker, which counts as there.
      await store.remove("a", always, options);
      assert.equal(await store.stat("a", options), undefined);
      assert.equal(await onShown("a"), "conflict");
    });

    test("is unavailable when nobody listens at the endpoint", async () => {
      assert.match(await probeError({ endpoint: "http://127.0.0.1:9" }, "store_unavailable"), /ECONNREFUSED/);
    });

    test("throws for reads and writes in a missing bucket, rather than finding nothing", async () => {
      await using store = new S3Store({ ...settings, bucket: "no-such-bucket-here" }, ports);
      const refused = (error: unknown) => isOperatingError(error, "store_refused");
      await assert.rejects(store.read("x", 1, options), refused);
      await assert.rejects(store.write("x", { body: Buffer.from("x"), headers: {} }, always, options), refused);
      await assert.rejects(store.remove("x", always, options), refused);
    });

    test("puts its objects under the prefix, with their headers as S3's own and no content type of its own making", async () => {
      await using store = new S3Store({ ...settings, prefix: "pre fix/" }, ports);
      await store.probe(options);
      const headers = { "content-type": "image/png", "cache-control": "no-cache", "x-weir-meta-extension": "png" };
      await store.write("photos/ü.png", { body: Buffer.from("x"), headers, version: "c.k.1.2" }, always, options);
      const input = { Bucket: settings.bucket, Key: "pre fix/photos/ü.png" };
      const object = await sdk.send(new GetObjectCommand(input));
      assert.equal(object.ContentType, "image/png");
      assert.equal(object.CacheControl, "no-cache");
      assert.deepEqual(object.Metadata, { extension: "png", "weir-version": "c.k.1.2" });
      await store.write("untyped", { body: Buffer.from("x"), headers: noHeaders, version: "v" }, always, options);
      const head = await sdk.send(new HeadObjectCommand({ ...input, Key: "pre fix/untyped" }));
      assert.equal(head.Metadata?.["weir-content-type"], "none");
    });

    test("gives an object that others wrote as it is found", async () => {
      await sdk.send(
        new PutObjectCommand({
          Bucket: settings.bucket,
          Key: "theirs",
          Body: "x",
          Metadata: { extension: "p%41ng", key: "a" },
          ContentDisposition: "inline",
        }),
      );
      await using store = new S3Store(settings, ports);
      const info = await store.stat("theirs", options);
      assert.equal(info?.version, undefined);
      assert.deepEqual(
        { ...info?.headers },
        {
          "content-disposition": "inline",
          "content-type": "application/octet-stream",
          "x-weir-meta-extension": "p%41ng",
          "x-weir-meta-key": "a",
        },
      );
    });

    test("refuses a name that is too long along with its prefix without asking", async () => {
      await using store = new S3Store({ ...settings, prefix: "p/" }, ports);
      await assert.rejects(store.read("x".repeat(1023), 1, options), (error) =>
        isOperatingError(error, "store_refused"),
      );
    });

    test("does not store a body that was torn on its way", async () => {
      await using client = disposable(new OwnClient(settings, 1, systemClock));
      const torn = { "content-md5": "XUFAKrxLKna5cZ2REBfFkg==" };
      const answer = await client.send(
        { method: "PUT", key: "torn", signedHeaders: torn, body: Buffer.from("hellO") },
        options,
      );
      assert.equal(answer.status, 400);
      assert.match(answer.body?.toString() ?? "", /BadDigest/);
    });

    test("has a write refused by the server when it arrives after its deadline", async () => {
      // A process that is paused between reading the clock and sending: its clocks stand still, the world goes on.
      let behindMs = 0;
      const clock: Clock = {
        ...systemClock,
        wallMs: () => Date.now() - behindMs,
        now: () => systemClock.now() - behindMs,
      };
      await using store = new S3Store(settings, { clock, random: systemRandom });
      await store.probe(options);
      await sleep(systemClock, 3_000);
      behindMs = 3_000;
      const late = store.write("late", { body: Buffer.from("x"), headers: {} }, always, { deadlineMs: 2_000 });
      await assert.rejects(late, (error) => {
        assert(isOperatingError(error, "store_unavailable"));
        assert.match(error.message, /after its deadline/);
        return true;
      });
      assert.equal(await store.stat("late", options), undefined);
      const next = await store.write("late", { body: Buffer.from("x"), headers: {} }, always, { deadlineMs: 9_000 });
      assert.equal(next.kind, "written", "the answer to the late one told the time");
    });

    test("asks for the time first when the wall clock shows that its host was suspended", async () => {
      let behindMs = 0;
      const clock: Clock = { ...systemClock, wallMs: () => Date.now(), now: () => systemClock.now() - behindMs };
      await using store = new S3Store(settings, { clock, random: systemRandom });
      await store.probe(options);
      // Longer than the deadline, which a busy gateway needs.
      await sleep(systemClock, 6_000);
      behindMs = 6_000;
      const write = store.write("woken", { body: Buffer.from("x"), headers: {} }, always, { deadlineMs: 5_000 });
      assert.equal((await write).kind, "written");
    });

    test("finds the store's time by its answers though the host's wall clock is an hour off", async () => {
      for (const offMs of [-3_600_000, 3_600_000]) {
        const clock: Clock = { ...systemClock, wallMs: () => Date.now() + offMs };
        await using store = new S3Store(settings, { clock, random: systemRandom });
        await store.probe(options);
        const result = await store.write("off", { body: Buffer.from("x"), headers: {} }, always, { deadlineMs: 5_000 });
        assert.equal(result.kind, "written");
      }
    });

    test("takes region, endpoint and keys from the SDK's own sources when they are not given", async () => {
      const { accessKeyId, secretAccessKey, region, endpoint } = server;
      const saved = { ...process.env };
      Object.assign(process.env, {
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        AWS_REGION: region,
        AWS_ENDPOINT_URL_S3: endpoint,
      });
      try {
        const { bucket } = settings;
        await using store = new S3Store({ bucket, prefix: "", connections: 2, forcePathStyle: true }, ports);
        assert.equal((await store.probe(options)).conditionalWrites, true);
      } finally {
        for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL_S3"]) {
          if (saved[name] === undefined) delete process.env[name];
          else process.env[name] = saved[name];
        }
      }
    });
  });
}

function disposable(client: OwnClient): OwnClient & AsyncDisposable {
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}
