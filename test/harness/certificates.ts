/** Certificates made by openssl, as an operator makes them: an authority, and what it issues. */

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface IssueOptions {
  /** As in openssl's `subjectAltName`; the loopback host unless told. */
  readonly names?: string;
  /** From now on; negative: it has expired so many days ago. */
  readonly days?: number;
  /** As in openssl's `extendedKeyUsage`. */
  readonly usage?: string;
}

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export class CertificateAuthority {
  readonly folder: string;
  /** Its own certificate. */
  readonly ca: string;
  #issued = 0;

  /** Makes one whose files are in `folder`. */
  constructor(folder: string, name = "weir test") {
    mkdirSync(folder, { recursive: true });
    this.folder = folder;
    this.ca = join(folder, "ca.pem");
    this.#openssl(
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout ca.key -out ca.pem -days 30 -subj`,
      `/CN=${name}`,
    );
  }

  issue(options: IssueOptions = {}): CertificateFiles {
    const { names = "DNS:localhost,IP:127.0.0.1,IP:::1", days = 30, usage = "serverAuth,clientAuth" } = options;
    const name = `issued-${this.#issued++}`;
    writeFileSync(join(this.folder, `${name}.ext`), `subjectAltName=${names}\nextendedKeyUsage=${usage}\n`);
    this.#openssl(
      `req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=node -keyout ${name}.key -out ${name}.csr`,
    );
    this.#openssl(
      `x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out ${name}.pem -extfile ${name}.ext -days ${days}`,
    );
    return { cert: join(this.folder, `${name}.pem`), key: join(this.folder, `${name}.key`) };
  }

  #openssl(command: string, ...last: readonly string[]): void {
    execFileSync("openssl", [...command.split(" "), ...last], {
      cwd: this.folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
  }
}
