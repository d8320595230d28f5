/** Where a container is found, and what is said when it can't be. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isOperatingError } from "../../../../src/base/errors.ts";
import { type AzureLocation, resolveTarget } from "../../../../src/store/azure/azure-target.ts";

const key = Buffer.alloc(64, 7).toString("base64");

test("resolveTarget finds an account at Azure, elsewhere, and by a connection string", () => {
  const container = "photos";
  const plain = resolveTarget({ container, account: "acc", accountKey: key }, {});
  assert.equal(plain.origin + plain.containerPath, "https://acc.blob.core.windows.net/photos");
  assert.equal(plain.key?.secret.toString("base64"), key);
  const endpoint = "http://127.0.0.1:1/acc/";
  const other = resolveTarget({ container, account: "acc", accountKey: key, endpoint }, {});
  assert.equal(other.origin + other.containerPath, "http://127.0.0.1:1/acc/photos");
  const connectionString = `AccountName=acc;AccountKey=${key};EndpointSuffix=core.chinacloudapi.cn`;
  const china = resolveTarget({ container, connectionString }, {});
  assert.equal(china.origin, "https://acc.blob.core.chinacloudapi.cn");
  const emulator = resolveTarget({ container, connectionString: "UseDevelopmentStorage=true" }, {});
  assert.equal(emulator.account, "devstoreaccount1");
});

test("resolveTarget takes from the environment what is not given, and nothing for an account that is", () => {
  const env = {
    AZURE_STORAGE_CONNECTION_STRING: `AccountName=theirs;AccountKey=${key}`,
    AZURE_STORAGE_ACCOUNT: "named",
    AZURE_STORAGE_KEY: key,
  };
  assert.equal(resolveTarget({ container: "c" }, env).account, "theirs");
  assert.equal(resolveTarget({ container: "c", account: "acc" }, env).account, "acc");
  assert.equal(resolveTarget({ container: "c" }, { ...env, AZURE_STORAGE_CONNECTION_STRING: "" }).account, "named");
  assert.equal(resolveTarget({ container: "c", account: "acc" }, {}).key, undefined, "the host's identity");
});

test("resolveTarget says what is wrong, and repeats no secret", () => {
  const cases: readonly [Omit<AzureLocation, "container">, RegExp][] = [
    [{}, /no account is named/],
    [{ account: "acc", accountKey: "s3cret!" }, /not base64/],
    [{ account: "acc", endpoint: "http://127.0.0.1:1/acc" }, /over https:\/\/ only/],
    [{ account: "acc", accountKey: key, endpoint: "ftp://x" }, /not an http/],
    [{ connectionString: "s3cret" }, /NAME=VALUE/],
    [{ connectionString: `AccountName=acc;SharedAccessSignature=sig=s3cret` }, /AccountKey/],
    [{ connectionString: "AccountKey=s3cret" }, /lacks AccountName/],
  ];
  for (const [location, message] of cases) {
    assert.throws(
      () => resolveTarget({ container: "photos", ...location }, {}),
      (error) => {
        assert(isOperatingError(error, "store_refused"), String(error));
        assert.match(error.message, message);
        assert(!error.message.includes("s3cret"));
        return true;
      },
    );
  }
});
