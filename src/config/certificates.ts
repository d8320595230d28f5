/**
 * Certificates in files, and the reasons why others would refuse them. They are checked here before they are used: a
 * refused handshake does not tell its reason to anyone who could mend it.
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { isIP } from "node:net";

/** What a certificate's extended key usage must name, if it has one (RFC 5280, section 4.2.1.12). */
const serverUsage = "1.3.6.1.5.5.7.3.1";
const clientUsage = "1.3.6.1.5.5.7.3.2";

const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

const pemEdge = /-----(?:BEGIN|END) CERTIFICATE-----/g;

/**
 * The certificates in a PEM file, in their order. Undefined if it has none, or one that can't be read, as in a file
 * that was cut short.
 */
export function parseCertificates(pem: string): readonly X509Certificate[] | undefined {
  const blocks = pem.match(pemBlock);
  if (blocks === null || pem.match(pemEdge)?.length !== 2 * blocks.length) return undefined;
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return undefined;
  }
}

/** The private key in a PEM file, or what is wrong with it. */
export function parseKey(pem: string): KeyObject | string {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ERR_MISSING_PASSPHRASE") return "is encrypted, and there is nobody to ask for its passphrase";
    return "holds no private key in PEM";
  }
}

export interface CertificateUse {
  /** The host in the url of the node that shows the certificate. Undefined if it is not known which node that is. */
  readonly host: string | undefined;
  /** Whether it is also shown to servers, as the certificate of a client. */
  readonly asClient: boolean;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** Why others would refuse the certificate, as ends of sentences. */
export function certificateMistakes(certificate: X509Certificate, { host, asClient, nowMs }: CertificateUse): string[] {
  const mistakes: string[] = [];
  const { validFromDate, validToDate, keyUsage } = certificate;
  if (validToDate.getTime() <= nowMs) mistakes.push(`expired on ${dateText(validToDate)}`);
  if (validFromDate.getTime() > nowMs) {
    mistakes.push(`is not valid before ${dateText(validFromDate)}; is the clock of this host right?`);
  }
  if (host !== undefined && !isFor(certificate, host)) {
    const names = certificate.subjectAltName ?? "no names at all";
    mistakes.push(`is not for ${host}, the host in this node's url, but for ${names}`);
  }
  // The runtime's type says that it is always there. A certificate without the extension has none.
  const usages = keyUsage as readonly string[] | undefined;
  if (usages !== undefined && !usages.includes(serverUsage)) mistakes.push("is not for servers (extended key usage)");
  if (usages !== undefined && asClient && !usages.includes(clientUsage)) {
    mistakes.push(
      "is not for clients (extended key usage), and nodes show it to each other as such where tls.clientCa is set",
    );
  }
  return mistakes;
}

/** Whether one of `authorities` has issued the certificate, or one of those behind it in its file. */
export function isIssuedBy(chain: readonly X509Certificate[], authorities: readonly X509Certificate[]): boolean {
  return chain.some((certificate) =>
    authorities.some(
      (authority) =>
        certificate.fingerprint256 === authority.fingerprint256 ||
        (certificate.checkIssued(authority) && certificate.verify(authority.publicKey)),
    ),
  );
}

export function dateText(date: Date): string {
  return date.toISOString().slice(0, 10);
}

function isFor(certificate: X509Certificate, host: string): boolean {
  // No client accepts names in the subject any more.
  const found = isIP(host) === 0 ? certificate.checkHost(host, { subject: "never" }) : certificate.checkIP(host);
  return found !== undefined;
}
