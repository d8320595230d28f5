/**
 * The Azure store against Azure's emulator: the port's suite, what the probe finds out, and what may never take effect
 * late.
 */

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { ContainerClient } from "@azure/storage-blob";
import { type Clock, sleep } from "../../src/base/clock.ts";
import { isOperatingError } from "../../src/base/errors.ts";
import { noHeaders } from "../../src/core/entry.ts";
import { AzureClient } from "../../src/store/azure/azure-client.ts";
import { AzureStore, type AzureStoreSettings } from "../../src/store/azure/azure-store.ts";
import type { WriteCondition } from "../../src/store/blob-store.ts";
import { systemClock, systemRandom } from "../../src/system.ts";
import { azureServerFromEnvironment, freshContainer, storeSettings } from "../harness/azure-server.ts";
import { blobStoreSuite } from "./blob-store-suite.ts";
import { largeBlobSuite } from "./large-blob-suite.ts";
import { partedUploadSuite } from "./parted-upload-suite.ts";

const ports = { clock: systemClock, random: systemRandom };
const options = { deadlineMs: 20_000 };
const always: WriteCondition = { kind: "always" };
const server = azureServerFromEnvironment();

if (typeof server === "string") test("AzureStore", { skip: server });
else {
  blobStoreSuite("AzureStore", async () => {
    return new AzureStore(storeSettings(server, await freshContainer(server)), ports);
  });

  for (const suite of [largeBlobSuite, partedUploadSuite]) {
    suite("AzureStore", async () => new AzureStore(storeSettings(server, await freshContainer(server)), ports));
  }

  describe("AzureStore", () => {
    let container: ContainerClient;
    let settings: AzureStoreSettings;

    before(async () => {
      container = await freshContainer(server);
      settings = storeSettings(server, container);
    });

    async function probeError(changes: Partial<AzureStoreSettings>, code: "store_refused" | "store_unavailable") {
      await using store = new AzureStore({ ...settings, ...changes }, ports);
      const error = await store.probe(options).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      assert(isOperatingError(error, code), String(error));
      return error.message;
    }

    test("names a wrong key and a missing container when it is probed", async () => {
      const wrong = Buffer.from("wrong").toString("base64");
      assert.match(await probeError({ accountKey: wrong }, "store_refused"), /HTTP 403.*check the account/);
      assert.match(await probeError({ accountKey: "not base64!" }, "store_refused"), /key is not base64/);
      assert.match(
        await probeError({ container: "no-such-container" }, "store_refused"),
        /container no-such-container does not exist; create/,
      );
    });

    test("is unavailable when nobody listens at the endpoint", async () => {
      assert.match(await probeError({ endpoint: "http://127.0.0.1:9/x" }, "store_unavailable"), /ECONNREFUSED/);
    });

    test("throws for reads and writes in a missing container, rather than finding nothing", async () => {
      await using store = new AzureStore({ ...settings, container: "no-such-container" }, ports);
      const refused = (error: unknown) => isOperatingError(error, "store_refused");
      await assert.rejects(store.read("x", 1, options), refused);
      await assert.rejects(store.stat("x", options), refused);
      await assert.rejects(store.write("x", { body: Buffer.from("x"), headers: {} }, always, options), refused);
      await assert.rejects(store.remove("x", always, options), refused);
      const absent = { kind: "absent" } as const;
      await assert.rejects(store.write("x", { body: Buffer.from("x"), headers: {} }, absent, options), refused);
    });

    test("takes everything from a connection string, and refuses one with a signature of its own", async () => {
      const { account, accountKey, endpoint } = server;
      const only = { account: undefined, accountKey: undefined, endpoint: undefined };
      const connectionString = `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${accountKey};BlobEndpoint=${endpoint};`;
      await using store = new AzureStore({ ...settings, ...only, connectionString }, ports);
      assert.deepEqual(await store.probe(options), {
        conditionalWrites: true,
        conditionalRemoves: true,
        conditionalCompletions: true,
        notes: [],
      });
      const signed = `BlobEndpoint=${endpoint};SharedAccessSignature=sv=2021-12-02&sig=abc`;
      const message = await probeError({ ...only, connectionString: signed }, "store_refused");
      assert.match(message, /use one with AccountKey/);
      assert.doesNotMatch(message, /abc/);
    });

    test("puts its blobs under the prefix, with their headers as Azure's own and no content type of its own making", async () => {
      await using store = new AzureStore({ ...settings, prefix: "pre fix/" }, ports);
      await store.probe(options);
      const headers = {
        "content-type": "image/png",
        "cache-control": "no-cache",
        "x-weir-meta-extension": "png",
        "x-weir-meta-0-a": "b",
      };
      await store.write("photos/ü.png", { body: Buffer.from("x"), headers, version: "c.k.1.2" }, always, options);
      const found = await container.getBlobClient("pre fix/photos/ü.png").getProperties();
      assert.equal(found.contentType, "image/png");
      assert.equal(found.cacheControl, "no-cache");
      assert.deepEqual(found.metadata, { extension: "png", weir_version: "c.k.1.2", weir_x_0_a: "b" });
      assert.deepEqual({ ...(await store.stat("photos/ü.png", options))?.headers }, headers);
      await store.write("untyped", { body: Buffer.from("x"), headers: noHeaders, version: "v" }, always, options);
      const untyped = await container.getBlobClient("pre fix/untyped").getProperties();
      assert.equal(untyped.metadata?.["weir_content_type"], "none");
    });

    test("gives a blob that others wrote as it is found", async () => {
      await container.getBlockBlobClient("theirs").upload("x", 1, {
        metadata: { Extension: "p%41ng", key_name: "a" },
        blobHTTPHeaders: { blobContentDisposition: "inline" },
      });
      await using store = new AzureStore(settings, ports);
      const info = await store.stat("theirs", options);
      assert.equal(info?.version, undefined);
      assert.deepEqual(
        { ...info?.headers },
        {
          "content-disposition": "inline",
          "content-type": "application/octet-stream",
          "x-weir-meta-extension": "p%41ng",
          "x-weir-meta-key-name": "a",
        },
      );
    });

    test("holds the longest and deepest keys behind any prefix that it takes", async () => {
      const prefix = "p/".repeat(100);
      await using store = new AzureStore({ ...settings, prefix }, ports);
      const names = ["x".repeat(1024), "\\".repeat(1024), "/".repeat(1024), "a/".repeat(512), "\u{1F600}".repeat(256)];
      for (const name of names) {
        const content = { body: Buffer.from(name), headers: noHeaders, version: "v" };
        assert.equal((await store.write(name, content, { kind: "absent" }, options)).kind, "written");
      }
      for (const name of names) {
        const result = await store.read(name, 10_000, options);
        assert(result.kind === "found" && result.blob.body.toString() === name);
      }
      assert.throws(
        () => new AzureStore({ ...settings, prefix: "p/".repeat(252) }, ports),
        (error) => isOperatingError(error, "store_refused"),
      );
    });

    test("tells a lease that somebody holds from a condition that does not", async () => {
      await using store = new AzureStore(settings, ports);
      const { kind, ...written } = await store.write(
        "leased",
        { body: Buffer.from("x"), headers: {} },
        always,
        options,
      );
      assert.equal(kind, "written");
      await container.getBlobClient("leased").getBlobLeaseClient().acquireLease(15);
      const condition = { kind: "unchanged", ...(written as { tag: string }) } as const;
      const content = { body: Buffer.from("y"), headers: {} };
      for (const request of [
        store.write("leased", content, condition, options),
        store.remove("leased", always, options),
      ]) {
        await assert.rejects(request, (error) => {
          assert(isOperatingError(error, "store_refused"), String(error));
          assert.match(error.message, /LeaseIdMissing.*break the lease/);
          return true;
        });
      }
    });

    test("does not remove a blob with snapshots that somebody keeps, and says so", async () => {
      await using store = new AzureStore(settings, ports);
      await store.write("kept", { body: Buffer.from("x"), headers: {} }, always, options);
      await container.getBlobClient("kept").createSnapshot();
      await assert.rejects(store.remove("kept", always, options), (error) => {
        assert(isOperatingError(error, "store_refused"), String(error));
        assert.match(error.message, /SnapshotsPresent.*delete the blob's snapshots/);
        return true;
      });
    });

    test("does not complete an upload again whose own blob has stayed", async () => {
      await using store = new AzureStore(settings, ports);
      const content = { headers: noHeaders, token: "t" };
      const begun = await store.beginUpload("stayed", content, options);
      const { id } = begun;
      const parts = [await begun.sendPart({ number: 1, offset: 0, body: Buffer.from("x") }, options)];
      const upload = { ...content, id, parts, size: 1 };
      const done = await store.completeUpload("stayed", upload, always, options);
      await container.getBlockBlobClient(`.weir/azure/uploads/${id}`).upload("", 0);
      // Its blocks are not there, as far as Azure can tell.
      assert.deepEqual(await store.completeUpload("stayed", upload, always, options), { kind: "incomplete" });
      assert(done.kind === "written" && (await store.stat("stayed", options))?.tag === done.tag);
    });

    test("does not store a body that was torn on its way", async () => {
      const client = new AzureClient(settings, 1, systemClock);
      const answer = await client.send(
        {
          method: "PUT",
          blob: "torn",
          permission: "w",
          headers: { "content-md5": "XUFAKrxLKna5cZ2REBfFkg==", "x-ms-blob-type": "BlockBlob" },
          body: Buffer.from("hellO"),
        },
        options,
      );
      await client.close();
      assert.equal(answer.status, 400);
      assert.equal(answer.headers["x-ms-error-code"], "Md5Mismatch");
    });

    test("has a write refused by the server when it arrives after its deadline", async () => {
      // A process that is paused between reading the clock and sending: its clocks stand still, the world goes on.
      let behindMs = 0;
      const clock: Clock = {
        ...systemClock,
        wallMs: () => Date.now() - behindMs,
        now: () => systemClock.now() - behindMs,
      };
      await using store = new AzureStore(settings, { clock, random: systemRandom });
      await store.probe(options);
      await sleep(systemClock, 3_000);
      behindMs = 3_000;
      const late = store.write("late", { body: Buffer.from("x"), headers: {} }, always, { deadlineMs: 2_000 });
      await assert.rejects(late, (error) => {
        assert(isOperatingError(error, "store_unavailable"), String(error));
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
      await using store = new AzureStore(settings, { clock, random: systemRandom });
      await store.probe(options);
      // A signature is valid to a full second before the deadline: a shorter one leaves a busy machine no time.
      await sleep(systemClock, 6_000);
      behindMs = 6_000;
      const write = store.write("woken", { body: Buffer.from("x"), headers: {} }, always, { deadlineMs: 5_000 });
      assert.equal((await write).kind, "written");
    });

    test("finds the store's time by its answers though the host's wall clock is an hour off", async () => {
      for (const offMs of [-3_600_000, 3_600_000]) {
        const clock: Clock = { ...systemClock, wallMs: () => Date.now() + offMs };
        await using store = new AzureStore(settings, { clock, random: systemRandom });
        await store.probe(options);
        const result = await store.write("off", { body: Buffer.from("x"), headers: {} }, always, { deadlineMs: 5_000 });
        assert.equal(result.kind, "written");
      }
    });
  });
}
