/** Shared access signatures against those of Azure's own library, and how long one is used. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
  type UserDelegationKey,
} from "@azure/storage-blob";
import { type SasKey, SasSigner, serviceVersion } from "../../../../src/store/azure/azure-signature.ts";

const secret = Buffer.alloc(64, 7);
const endSeconds = Date.UTC(2026, 1, 3, 4, 5, 6) / 1_000;
const values = { containerName: "photos", expiresOn: new Date(endSeconds * 1_000), version: serviceVersion };

function sorted(query: string): string[] {
  return query.split("&").sort();
}

test("SasSigner signs by an account's key as Azure's library does", () => {
  const signer = new SasSigner("acc", "photos");
  const credential = new StorageSharedKeyCredential("acc", secret.toString("base64"));
  for (const permission of ["r", "w", "d", "l"] as const) {
    const permissions = ContainerSASPermissions.parse(permission);
    const theirs = generateBlobSASQueryParameters({ ...values, permissions }, credential).toString();
    assert.deepEqual(sorted(signer.sign({ secret }, permission, endSeconds)), sorted(theirs));
  }
});

test("SasSigner signs by a user delegation key as Azure's library does", () => {
  const start = "2026-02-03T00:00:00Z";
  const expiry = "2026-02-03T06:00:00Z";
  const delegation = { objectId: "oid", tenantId: "tid", start, expiry, service: "b", version: "2021-12-02" };
  const theirKey: UserDelegationKey = {
    signedObjectId: "oid",
    signedTenantId: "tid",
    signedStartsOn: new Date(start),
    signedExpiresOn: new Date(expiry),
    signedService: "b",
    signedVersion: "2021-12-02",
    value: secret.toString("base64"),
  };
  const permissions = ContainerSASPermissions.parse("w");
  const theirs = generateBlobSASQueryParameters({ ...values, permissions }, theirKey, "acc").toString();
  const ours = new SasSigner("acc", "photos").sign({ secret, delegation }, "w", endSeconds);
  assert.deepEqual(sorted(ours), sorted(theirs));
});

test("SasSigner signs anew for another key, permission or second", () => {
  const signer = new SasSigner("acc", "photos");
  const key: SasKey = { secret };
  const first = signer.sign(key, "w", endSeconds);
  assert.equal(signer.sign(key, "w", endSeconds), first);
  const others = [
    signer.sign(key, "d", endSeconds),
    signer.sign(key, "w", endSeconds + 1),
    signer.sign({ secret: Buffer.alloc(64, 8) }, "w", endSeconds),
  ];
  for (const other of others) assert.notEqual(other, first);
  assert.equal(signer.sign(key, "w", endSeconds), first);
});
