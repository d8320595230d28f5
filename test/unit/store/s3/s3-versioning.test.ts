/** Servers that do not know of versions of objects, and say so in their own ways: they can be used all the same. */

import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { describe, it } from "node:test";
import type { OperatingError } from "../../../../src/base/errors.ts";
import { scriptedStore } from "../../../harness/scripted-store.ts";

interface Oddities {
  /** Whether conditions are taken without a look at them. */
  readonly ignoresConditions?: boolean;
  /** Whether tags are taken without quotes alone. */
  readonly wantsBareTags?: boolean;
  /** Whether an object stays what it was first, as where a cache is in front of it. */
  readonly isStale?: boolean;
  /** Whether headers of its own are left out, as by a proxy. */
  readonly losesMetadata?: boolean;
  /** Whether it refuses objects with this path, as it was sent. */
  readonly refuses?: (path: string) => boolean;
  /** Of the answer to the unsigned request for the bucket. */
  readonly greeting?: number;
}

/** Objects by path, with conditions, and nothing else; `status` and `body` are what it says of versioning. */
async function serverWith(
  status: number,
  body: string,
  { ignoresConditions, wantsBareTags, isStale, losesMetadata, refuses = () => false, greeting = 404 }: Oddities = {},
) {
  const matches: string[] = [];
  const objects = new Map<
    string,
    { readonly tag: string; readonly body: Buffer; readonly metadata: Record<string, string> }
  >();
  let tags = 0;
  const answer: RequestListener = (request, response) => {
    const [path = "", query] = (request.url ?? "").split("?");
    const searchParams = new URLSearchParams(query);
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const end = (code: number, text: string | Buffer = "", headers: Record<string, string> = {}): void => {
        response.writeHead(code, { "content-length": String(text.length), ...headers });
        response.end(request.method === "HEAD" ? undefined : text);
      };
      const { "if-match": match, "if-none-match": noneMatch } = request.headers;
      const object = objects.get(path);
      const expected = wantsBareTags ? object?.tag.replaceAll('"', "") : object?.tag;
      if (match) matches.push(match);
      if (refuses(decodeURIComponent(path))) return end(400, "<Error><Code>InvalidArgument</Code></Error>");
      if (path === "/photos" && request.method === "HEAD")
        return end(greeting, "", { "x-amz-bucket-region": "eu-central-1" });
      if (searchParams.has("versioning")) return end(status, body);
      if (request.method === "GET" || request.method === "HEAD") {
        if (!object) return end(404, "<Error><Code>NoSuchKey</Code></Error>");
        if (match && match !== expected) return end(412);
        return end(200, object.body, { etag: object.tag, ...object.metadata });
      }
      if (!ignoresConditions && ((noneMatch && object) || (match && match !== expected)))
        return end(412, "<Error><Code>PreconditionFailed</Code></Error>");
      if (request.method === "DELETE") {
        objects.delete(path);
        return end(204);
      }
      const tag = `"${++tags}"`;
      const sent = Object.entries(request.headers).filter(([name]) => !losesMetadata && name.startsWith("x-amz-meta-"));
      const metadata = Object.fromEntries(sent) as Record<string, string>;
      objects.set(path, { tag, metadata, body: (isStale && object?.body) || Buffer.concat(chunks) });
      return end(200, "", { etag: tag });
    });
  };
  const host = await scriptedStore("s3", answer, 2);
  /** `matches`: the `If-Match` of each request that had one. */
  return { ...host, matches };
}

describe("a server without versioning", () => {
  for (const [status, body] of [
    [404, "404 page not found"],
    [501, "<Error><Code>NotImplemented</Code></Error>"],
    [403, "<Error><Code>AccessDenied</Code></Error>"],
  ] as const) {
    it(`that answers ${status} is used, and it is said`, async () => {
      await using host = await serverWith(status, body);
      const { conditionalWrites, notes } = await host.store.probe({ deadlineMs: 2_000 });
      assert.equal(conditionalWrites, true);
      assert.match(notes.join(), /Whether the bucket keeps old versions is not known/);
    });
  }
});

describe("a server that ignores conditions on writes", () => {
  for (const state of ["Enabled", "Suspended"]) {
    it(`is refused where the bucket's versioning is ${state}`, async () => {
      const body = `<VersioningConfiguration><Status>${state}</Status></VersioningConfiguration>`;
      await using host = await serverWith(200, body, { ignoresConditions: true });
      await assert.rejects(host.store.probe({ deadlineMs: 2_000 }), (error: OperatingError) => {
        assert.equal(error.code, "store_refused");
        assert.match(error.message, new RegExp(`has versioning ${state.toLowerCase()}`));
        return true;
      });
    });
  }

  it("is still sent tags in quotes, as the standard has them", async () => {
    await using host = await serverWith(200, "<VersioningConfiguration/>", { ignoresConditions: true });
    assert.equal((await host.store.probe({ deadlineMs: 2_000 })).conditionalWrites, false);
    const content = { body: Buffer.from("x"), headers: {} };
    await host.store.write("k", content, { kind: "unchanged", tag: "t" }, { deadlineMs: 2_000 });
    assert.equal(host.matches.at(-1), '"t"');
    assert.ok(
      host.matches.some((match) => !match.startsWith('"')),
      "both forms were tried",
    );
  });
});

it("a server that does not give metadata back is refused: nobody would know how old an object is (F16)", async () => {
  await using host = await serverWith(200, "<VersioningConfiguration/>", { losesMetadata: true });
  await assert.rejects(host.store.probe({ deadlineMs: 2_000 }), (error: OperatingError) => {
    assert.equal(error.code, "store_refused");
    assert.match(error.message, /does not give back the metadata.*a proxy/);
    return true;
  });
});

it("a server that never matches a tag in quotes is sent tags without them, and it is said", async () => {
  await using host = await serverWith(200, "<VersioningConfiguration/>", { wantsBareTags: true });
  const { conditionalWrites, notes } = await host.store.probe({ deadlineMs: 2_000 });
  assert.equal(conditionalWrites, true);
  assert.equal(notes[0], "The store wants If-Match without quotes.");
  assert.match(notes[1] ?? "", /^The store refuses uploads, so no value over buffer\.maxValueBytes can be written: /);
  const content = { body: Buffer.from("x"), headers: {} };
  await host.store.write("k", content, { kind: "unchanged", tag: "t" }, { deadlineMs: 2_000 });
  assert.equal(host.matches.at(-1), "t");
  const written = await host.store.write("big", content, { kind: "absent" }, { deadlineMs: 2_000 });
  const opened = await host.store.openBlob(
    "big",
    written.kind === "written" ? written.tag : "",
    { start: 0, end: 1 },
    { deadlineMs: 2_000 },
  );
  assert.equal(opened.kind, "found", "a large value can be read as well");
  if (opened.kind === "found") await opened.stream[Symbol.asyncDispose]();
});

it("a server that does not give back what was written last is refused", async () => {
  await using host = await serverWith(200, "<VersioningConfiguration/>", { isStale: true });
  await assert.rejects(host.store.probe({ deadlineMs: 2_000 }), (error: OperatingError) => {
    assert.equal(error.code, "store_refused");
    assert.match(error.message, /does not give back what was written last/);
    return true;
  });
});

it("a bucket that is elsewhere is told by the answer to the first request, before anything is written", async () => {
  await using host = await serverWith(200, "<VersioningConfiguration/>", { greeting: 301 });
  await assert.rejects(host.store.probe({ deadlineMs: 2_000 }), (error: OperatingError) => {
    assert.equal(error.code, "store_refused");
    assert.match(error.message, /is in the region eu-central-1; set it/);
    return true;
  });
});

describe("a server that refuses some names", () => {
  const odd = {
    "a part that is .": ["a/./b", "./b", "a/."],
    "a part that is ..": ["a/../b", "a/.."],
    "more parts that are .. than others before them": ["../a", "a/../../b/c"],
    "an empty part": ["a//b", "/a"],
    "a slash at its end": ["a/"],
    "a part of more than 255 bytes": [`a/${"é".repeat(128)}`],
  } as const;

  it("is told no key of a kind that it refuses, and every other one", async () => {
    const refuses = (path: string): boolean =>
      path.includes("/../../") || path.includes("//") || path.split("/").some((part) => Buffer.byteLength(part) > 255);
    await using host = await serverWith(200, "<VersioningConfiguration/>", { refuses });
    const { notes } = await host.store.probe({ deadlineMs: 2_000 });
    const refused = ["an empty part", "a part of more than 255 bytes"];
    assert.ok(
      notes.some((note) => note.includes(`those with ${refused.join("; ")}.`)),
      notes.join("\n"),
    );
    for (const [kind, names] of Object.entries(odd))
      for (const name of names) assert.equal(host.store.fits(name), !refused.includes(kind), `${kind}: ${name}`);
    for (const name of ["a", "a/b", ".a", "a./b", "..a/b", "a/...", `a/${"é".repeat(127)}`])
      assert.equal(host.store.fits(name), true, name);
  });

  it("may be Amazon S3, which refuses what leads out of the bucket", async () => {
    const refuses = (path: string): boolean => {
      let depth = 0;
      // Behind the bucket.
      for (const part of path.split("/").slice(2)) {
        depth += part === ".." ? -1 : 1;
        if (depth < 0) return true;
      }
      return false;
    };
    await using host = await serverWith(200, "<VersioningConfiguration/>", { refuses });
    await host.store.probe({ deadlineMs: 2_000 });
    assert.deepEqual(
      Object.entries(odd)
        .filter(([, names]) => names.some((name) => !host.store.fits(name)))
        .map(([kind]) => kind),
      ["more parts that are .. than others before them"],
    );
    assert.equal(host.store.fits("a/../b"), true);
  });
});
