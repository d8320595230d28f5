/**
 * `weir check` on a container of Azure: by an account's key, and by the identity of a host at Azure, as its own library
 * finds it. The host's metadata service is played here; the emulator takes tokens whoever has signed them, and gives
 * keys for them.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Agent } from "undici";
import { azureServerFromEnvironment, freshContainer } from "../harness/azure-server.ts";
import { startAzurite } from "../harness/azurite.ts";
import { CertificateAuthority } from "../harness/certificates.ts";
import { weir } from "../harness/command.ts";

const server = azureServerFromEnvironment();
const skip = typeof server === "string" ? server : false;

function clusterFile(folder: string, store: object): string {
  const path = join(folder, "cluster.json");
  const nodes = [{ id: "a", url: "http://127.0.0.1:7070" }];
  const content = { cluster: "test", secret: "env:SECRET", store: { type: "azure", ...store }, nodes, data: folder };
  writeFileSync(path, JSON.stringify(content));
  return path;
}

function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), "weir-azure-"));
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

const secrets = { SECRET: "0123456789abcdef", PATH: "" };

test("weir check finds a container usable by a connection string, and says what to do about one that is not there", {
  skip,
}, async () => {
  assert(typeof server !== "string");
  using temporary = temporaryFolder();
  const { containerName: container } = await freshContainer(server);
  const { account, accountKey, endpoint } = server;
  const env = { ...secrets, TEXT: `AccountName=${account};AccountKey=${accountKey};BlobEndpoint=${endpoint}` };
  const good = clusterFile(temporary.folder, { container, connectionString: "env:TEXT" });
  const outcome = await weir(["check", good], { env });
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.match(outcome.stdout, new RegExp(`azure://${container}/ can be read, written and removed from`));
  const bad = clusterFile(temporary.folder, { container: "missing", connectionString: "env:TEXT" });
  const refused = await weir(["check", bad], { env });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /container missing does not exist; create the container.*\n$/);
});

test("weir check uses the host's identity where there is no key, and signs by a key that it buys with a token", {
  skip,
}, async () => {
  using temporary = temporaryFolder();
  const authority = new CertificateAuthority(join(temporary.folder, "authority"));
  const azurite = await startAzurite({ tls: authority.issue() });
  assert(!("missing" in azurite), "there is an emulator");
  using _azurite = azurite;
  const { WEIR_TEST_AZURE_ENDPOINT: endpoint = "", WEIR_TEST_AZURE_ACCOUNT: account = "" } = azurite.env;
  const token = unsignedToken();
  const agent = new Agent({ connect: { ca: readFileSync(authority.ca) } });
  const { origin, pathname } = new URL(`${endpoint}/photos`);
  const made = await agent.request({
    origin,
    path: `${pathname}?restype=container`,
    method: "PUT",
    headers: { authorization: `Bearer ${token}`, "x-ms-version": "2021-12-02" },
  });
  assert.equal(made.statusCode, 201);
  await agent.close();

  let asked = 0;
  const metadata = createServer((_request, response) => {
    asked += 1;
    const expires = Math.floor(Date.now() / 1_000) + 3_600;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ access_token: token, expires_on: String(expires), token_type: "Bearer" }));
  }).listen(0, "127.0.0.1");
  await once(metadata, "listening");
  const { port } = metadata.address() as { port: number };
  const env = {
    ...secrets,
    NODE_EXTRA_CA_CERTS: authority.ca,
    IDENTITY_ENDPOINT: `http://127.0.0.1:${port}/token`,
    IDENTITY_HEADER: "secret",
    // One of the ways that the library knows, so that no other is tried.
    AZURE_TOKEN_CREDENTIALS: "ManagedIdentityCredential",
  };
  try {
    const file = clusterFile(temporary.folder, { container: "photos", account, endpoint });
    const outcome = await weir(["check", file], { env });
    assert.equal(outcome.code, 0, outcome.stderr + outcome.stdout);
    assert.match(outcome.stdout, /azure:\/\/photos\/ can be read, written and removed from/);
    assert.equal(asked, 1, "one token is enough");
    const { IDENTITY_ENDPOINT: _endpoint, IDENTITY_HEADER: _header, ...without } = env;
    const refused = await weir(["check", file], {
      env: { ...without, AZURE_TOKEN_CREDENTIALS: "EnvironmentCredential" },
    });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /identity can't be proved to Azure.*give accountKey or connectionString/s);
  } finally {
    metadata.close();
    metadata.closeAllConnections();
  }
});

/** What the directory would give, but for its signature. */
function unsignedToken(): string {
  const now = Math.floor(Date.now() / 1_000);
  const claims = {
    aud: "https://storage.azure.com",
    iss: "https://sts.windows.net/tenant/",
    iat: now - 60,
    nbf: now - 60,
    exp: now + 3_600,
    oid: "00000000-0000-0000-0000-000000000001",
    tid: "00000000-0000-0000-0000-000000000002",
  };
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256", typ: "JWT" })}.${part(claims)}.c2lnbmF0dXJl`;
}
