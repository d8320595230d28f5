/** The files of `tls`, read and checked as a whole: a certificate without its key is worth nothing. */

import type { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { OperatingError } from "../base/errors.ts";
import { certificateMistakes, isIssuedBy, parseCertificates, parseKey } from "./certificates.ts";
import type { TlsConfig } from "./config.ts";
import { type Mistake, mistakesMessage } from "./mistakes.ts";

/** What the files held, in PEM. */
export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
  readonly clientCa?: string;
}

/** Files that have passed the checks. */
export interface TlsMaterial {
  readonly texts: TlsTexts;
  /** The node's own certificate. */
  readonly certificate: X509Certificate;
}

export interface TlsUse {
  /** The host in the node's url. Undefined if it is not known which node this is. */
  readonly host: string | undefined;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

const fileSettings = ["cert", "key", "ca", "clientCa"] as const;

/**
 * Reads and checks the files.
 *
 * @throws OperatingError `config_invalid`; it names every mistake
 */
export async function loadTls(tls: TlsConfig, use: TlsUse): Promise<TlsMaterial> {
  return checkTls(tls, await readTlsFiles(tls), use);
}

/** @throws OperatingError `config_invalid`; it names every file that can't be read */
export async function readTlsFiles(tls: TlsConfig): Promise<TlsTexts> {
  const texts: Partial<Record<keyof TlsTexts, string>> = {};
  const mistakes: Mistake[] = [];
  for (const name of fileSettings) {
    const path = tls[name];
    if (path === undefined) continue;
    try {
      texts[name] = await readFile(path, "utf8");
    } catch (error) {
      mistakes.push({ path: `tls.${name}`, text: `${path} can't be read (${(error as NodeJS.ErrnoException).code})` });
    }
  }
  refuse(mistakes);
  return texts as TlsTexts;
}

const noCertificates = "holds no certificate in PEM, or one that is not whole";

/** @throws OperatingError `config_invalid`; it names every mistake */
export function checkTls(tls: TlsConfig, texts: TlsTexts, { host, nowMs }: TlsUse): TlsMaterial {
  const mistakes: Mistake[] = [];
  const report = (name: keyof TlsTexts, text: string): void => {
    mistakes.push({ path: `tls.${name}`, text: `${tls[name]} ${text}` });
  };
  const chain = parseCertificates(texts.cert);
  if (chain === undefined) report("cert", noCertificates);
  const certificate = chain?.[0];
  const key = parseKey(texts.key);
  if (typeof key === "string") report("key", key);
  else if (certificate !== undefined && !certificate.checkPrivateKey(key)) {
    report("key", `is not the key of the certificate in ${tls.cert}`);
  }
  if (certificate !== undefined) {
    const asClient = texts.clientCa !== undefined;
    for (const text of certificateMistakes(certificate, { host, asClient, nowMs })) report("cert", text);
  }
  for (const name of ["ca", "clientCa"] as const) {
    const text = texts[name];
    if (text === undefined) continue;
    const authorities = parseCertificates(text);
    if (authorities === undefined) report(name, noCertificates);
    else if (chain !== undefined && !isIssuedBy(chain, authorities)) {
      report("cert", `was issued by no authority in tls.${name}, so the other nodes would refuse it`);
    }
  }
  refuse(mistakes);
  try {
    // The runtime may have other objections: the key is too short, for example.
    createSecureContext({ cert: texts.cert, key: texts.key });
  } catch (error) {
    refuse([{ path: "tls", text: `can't be used: ${(error as Error).message}` }]);
  }
  return { texts, certificate: certificate as X509Certificate };
}

function refuse(mistakes: readonly Mistake[]): void {
  if (mistakes.length > 0) throw new OperatingError("config_invalid", mistakesMessage("what tls names", mistakes));
}
