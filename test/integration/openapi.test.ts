/**
 * `docs/openapi.yaml` is true: it is valid, it names every route with its methods and every error code, and each
 * response that it names is brought about on a running server and is as it says. A response that no case brings about
 * fails, and so does an answer that it does not name.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { errorKinds, OperatingError } from "../../src/base/errors.ts";
import { HttpHost } from "../harness/http-host.ts";
import type { RawAnswer } from "../harness/raw-http.ts";
import { clusterStatus, memberStatus } from "../harness/status-fixtures.ts";

interface Header {
  readonly required?: boolean;
  readonly schema: object;
}
interface Response {
  readonly headers?: Readonly<Record<string, Header | Reference>>;
  readonly content?: Readonly<Record<string, { readonly schema?: object }>>;
}
interface Reference {
  readonly $ref: string;
}
interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, Response | Reference>>;
}
interface ObjectSchema {
  readonly properties: Readonly<Record<string, object>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: {
    readonly schemas: {
      readonly Problem: { readonly properties: { readonly code: { readonly enum: readonly string[] } } };
    };
  };
}

const text = readFileSync(join(import.meta.dirname, "..", "..", "docs", "openapi.yaml"), "utf8");
const document = parse(text) as Document;
const methods = ["get", "head", "put", "post", "delete"] as const;

const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema(document, "weir");

/** Operations by method and path. */
const operations = new Map<string, Operation>(
  Object.entries(document.paths).flatMap(([path, item]) =>
    methods
      .filter((method) => item[method])
      .map((method): [string, Operation] => [`${method.toUpperCase()} ${path}`, item[method] as Operation]),
  ),
);

function resolve<T extends object>(item: T | Reference): T {
  if (!("$ref" in item)) return item;
  return item.$ref
    .slice(2)
    .split("/")
    .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], document) as T;
}

/** Asserts that the value is as the schema, which may refer into the document, says. */
function assertValid(schema: object, value: unknown, what: string): void {
  const absolute = JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"weir#/')) as object;
  const validate = ajv.compile(absolute);
  assert.ok(validate(value), `${what}: ${JSON.stringify(validate.errors)} of ${JSON.stringify(value)}`);
}

function assertAsDocumented(operation: Operation, answer: RawAnswer, isHead: boolean): string {
  const { operationId, responses } = operation;
  const status = String(answer.status) in responses ? String(answer.status) : "default";
  const found = responses[status];
  assert.ok(found, `${operationId} was answered ${answer.status}, which is not documented: ${answer.body.toString()}`);
  const what = `${operationId} ${answer.status}`;
  const { headers = {}, content } = resolve(found);
  for (const [name, header] of Object.entries(headers)) {
    const { required = false, schema } = resolve(header);
    const value = answer.headers[name.toLowerCase()];
    if (value === undefined) assert.equal(required, false, `${what} has no ${name}`);
    else assertValid(schema, value, `${what}: ${name}`);
  }
  if (isHead) return status;
  if (content === undefined) {
    assert.equal(answer.body.length, 0, `${what} has a body`);
    return status;
  }
  const type = (answer.headers["content-type"] ?? "").split(";")[0] as string;
  const media = content[type] ?? content["*/*"];
  assert.ok(media, `${what} is ${type}, which is not documented`);
  if (media.schema && /^application\/(?:problem\+)?json$/.test(type))
    assertValid(media.schema, JSON.parse(answer.body.toString()), what);
  return status;
}

const fails = (host: HttpHost): void => {
  host.operations.failure = new OperatingError("store_unavailable", "as the test wants");
};
const flushed = (host: HttpHost): void => {
  const progress = { keys: 0, bytes: 0, refusedKeys: 0, failing: [], waitingFor: [] };
  host.administration.flushTells = [{ ...progress, outcome: "stored" }];
};
const refuses = (host: HttpHost): void => {
  const refused = { key: "a", version: { epoch: 1, seq: 2 }, size: 10, isDelete: false, ageMs: 1.5 };
  host.administration.refusals.set("a", { ...refused, code: "store_refused", reason: "it is too long" });
};
const guarded = (host: HttpHost): void => host.access.setRules({ tokens: [] });
const old = JSON.stringify({ key: "old", extension: "txt", data: "YWJj" });
const unready = (host: HttpHost): void => {
  host.node.ready = false;
};

interface Case {
  readonly operation: string;
  /** Without: the operation's path. */
  readonly target?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly status: number;
  readonly before?: (host: HttpHost) => void;
}

const none = ["If-None-Match: *"];
const required = ['If-Match: "x"'];
const cases: readonly Case[] = [
  ...["GET", "HEAD"].flatMap((method): Case[] => [
    { operation: `${method} /kv/{key}`, target: "/kv/a", status: 200 },
    { operation: `${method} /kv/{key}`, target: "/kv/a", headers: none, status: 304 },
    { operation: `${method} /kv/{key}`, target: "/kv/none", status: 404 },
    { operation: `${method} /kv/{key}`, target: "/kv/a", headers: required, status: 412 },
    { operation: `${method} /kv/{key}`, target: "/kv/a", before: fails, status: 503 },
    { operation: `${method} /kv/`, status: 200 },
    { operation: `${method} /kv/`, target: "/kv/?limit=x", status: 400 },
    { operation: `${method} /kv/`, before: fails, status: 503 },
    { operation: `${method} /get/{key}`, target: "/get/old", status: 200 },
    { operation: `${method} /get/{key}`, target: "/get/old", headers: none, status: 304 },
    { operation: `${method} /get/{key}`, target: "/get/none", status: 404 },
    { operation: `${method} /get/{key}`, target: "/get/old", headers: required, status: 412 },
    { operation: `${method} /healthz`, status: 200 },
    { operation: `${method} /readyz`, status: 200 },
    { operation: `${method} /readyz`, before: unready, status: 503 },
    { operation: `${method} /metrics`, status: 200 },
    { operation: `${method} /cluster`, status: 200 },
    { operation: `${method} /`, status: 200 },
    { operation: `${method} /cluster/refused/{key}`, target: "/cluster/refused/a", before: refuses, status: 200 },
    { operation: `${method} /cluster/refused/{key}`, target: "/cluster/refused/a", status: 404 },
    { operation: `${method} /cluster/refused/{key}`, target: "/cluster/refused/%ff", status: 400 },
    {
      operation: `${method} /cluster/refused/`,
      target: "/cluster/refused/?prefix=",
      before: refuses,
      status: 200,
    },
    { operation: `${method} /cluster/refused/`, status: 400 },
    { operation: `${method} /cluster/refused/`, target: "/cluster/refused/?prefix=a", before: guarded, status: 401 },
    ...["/metrics", "/cluster", "/"].map(
      (path): Case => ({ operation: `${method} ${path}`, headers: ["Host: a", "Host: b"], status: 400 }),
    ),
  ]),
  { operation: "GET /kv/{key}", target: "/kv/a", headers: ["Range: bytes=1-2"], status: 206 },
  { operation: "GET /kv/{key}", target: "/kv/a", headers: ["Range: bytes=99-"], status: 416 },
  { operation: "PUT /kv/{key}", target: "/kv/b", body: "value", status: 204 },
  { operation: "PUT /kv/{key}", target: "/kv/b", headers: ["Weir-Durability: stored"], body: "value", status: 204 },
  { operation: "PUT /kv/{key}", target: "/kv/a", headers: none, body: "value", status: 412 },
  { operation: "PUT /kv/{key}", target: "/kv/a", body: "v".repeat(2_000), status: 413 },
  { operation: "PUT /kv/{key}", target: "/kv/%ff", body: "v", status: 400 },
  {
    operation: "PUT /kv/{key}",
    target: "/kv/b",
    headers: ["Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg=="],
    body: "value",
    status: 400,
  },
  { operation: "DELETE /kv/{key}", target: "/kv/a", status: 204 },
  { operation: "DELETE /kv/{key}", target: "/kv/a", headers: required, status: 412 },
  { operation: "DELETE /kv/{key}", target: "/kv/.weir/a", status: 400 },
  ...["/put/", "/put"].flatMap((path): Case[] => [
    { operation: `POST ${path}`, body: old, status: 200 },
    { operation: `POST ${path}`, body: "{}", status: 409 },
    { operation: `POST ${path}`, body: "[]", status: 400 },
  ]),
  ...(
    [
      ['If-Match: "1.2"', 204],
      ['If-Match: "1.1"', 412],
      ["If-Match: *", 400],
    ] as const
  ).map(
    ([header, status]): Case => ({
      operation: "DELETE /cluster/refused/{key}",
      target: "/cluster/refused/a",
      headers: [header],
      before: refuses,
      status,
    }),
  ),
  {
    operation: "DELETE /cluster/refused/{key}",
    target: "/cluster/refused/a",
    headers: ['If-Match: "1.2"'],
    status: 404,
  },
  { operation: "DELETE /cluster/refused/{key}", target: "/cluster/refused/a", before: guarded, status: 401 },
  { operation: "POST /cluster/leave", status: 202 },
  { operation: "POST /cluster/flush", before: flushed, status: 200 },
  { operation: "POST /cluster/flush", body: "x", status: 400 },
  { operation: "POST /cluster/leave", body: "x", status: 400 },
  { operation: "POST /cluster/leave", before: guarded, status: 401 },
  { operation: "POST /cluster/leave", headers: ["Sec-Fetch-Site: cross-site"], status: 403 },
  { operation: "POST /cluster/leave", headers: ["Content-Length: 1", "Expect: 200-ok"], status: 400 },
];

describe("docs/openapi.yaml", { timeout: 60_000 }, () => {
  test("is valid OpenAPI by its schema", async () => {
    const { valid, errors } = await new Validator().validate(
      structuredClone(document) as unknown as Record<string, unknown>,
    );
    assert.ok(valid, JSON.stringify(errors, undefined, 1));
  });

  test("names every route with its methods, and no other", async () => {
    await using host = await HttpHost.start();
    const served = host.routes.flatMap(([path, route]) =>
      Object.keys(route.needs).map((method) => `${method} ${path}${route.kind === "key" ? "{key}" : ""}`),
    );
    assert.deepEqual([...operations.keys()].toSorted(), served.toSorted());
  });

  test("names every error code", () => {
    assert.deepEqual(document.components.schemas.Problem.properties.code.enum, Object.keys(errorKinds));
  });

  test("describes everything that /cluster says, and nothing else", () => {
    const version = { epoch: 1, seq: 2 };
    const key = { key: "k", version, size: 1, isDelete: false, ageMs: 1, code: "store_refused", reason: "" } as const;
    const members = [memberStatus("a", { zone: "z", failing: [key] }), memberStatus("b")];
    const status = clusterStatus(members, {
      recordTrouble: "it is gone",
      trouble: "its disk is full",
      s3: { requests: 3, denied: 1, failed: 0, operations: { PutObject: 2, other: 1 } },
    });
    const schema = resolve<object>({ $ref: "#/components/schemas/Cluster" }) as ObjectSchema;
    assertValid(schema, JSON.parse(JSON.stringify(status)), "/cluster");
    assert.deepEqual(Object.keys(schema.properties).toSorted(), Object.keys(status).toSorted());
    const { items } = schema.properties["members"] as unknown as { readonly items: ObjectSchema };
    assert.deepEqual(Object.keys(items.properties).toSorted(), Object.keys(status.members[0] as object).toSorted());
  });

  test("is what a running server answers, in every response that it names", async () => {
    const seen = new Set<string>();
    for (const { operation: name, target, headers = [], body, status, before } of cases) {
      await using host = await HttpHost.start({ maxValueBytes: 1_000, inFlightBytes: 10_000 });
      await host.request("PUT", "/kv/a", ["Content-Type: text/plain"], "0123456789");
      await host.request("POST", "/put/", [], old);
      before?.(host);
      const [method, path] = name.split(" ") as [string, string];
      const operation = operations.get(name);
      assert.ok(operation, `${name} is not documented`);
      const answer = await host.request(method, target ?? path, [...headers], body);
      assert.equal(answer.status, status, `${name} ${target}: ${answer.body.toString()}`);
      seen.add(`${name} ${assertAsDocumented(operation, answer, method === "HEAD")}`);
    }
    const named = [...operations].flatMap(([name, { responses }]) =>
      Object.keys(responses).map((status) => `${name} ${status}`),
    );
    assert.deepEqual(
      named.filter((each) => !seen.has(each)),
      [],
    );
  });
});
