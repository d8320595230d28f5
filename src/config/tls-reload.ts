/**
 * Takes new certificates while a node runs: tools that renew them put them in place. It also warns before one expires.
 *
 * Certificate and key are two files, and do not match between the two writes. So a mistake is reported only if it is
 * still there at the next look. Until then, and afterwards, the node uses the files that it had.
 */

import type { Clock, Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { dateText } from "./certificates.ts";
import type { TlsConfig } from "./config.ts";
import { dayMs } from "./quantities.ts";
import { checkTls, readTlsFiles, type TlsMaterial, type TlsTexts } from "./tls-files.ts";

export interface TlsReloadOptions {
  readonly tls: TlsConfig;
  /** The host in the node's url. */
  readonly host: string;
  /** The files in use. */
  readonly material: TlsMaterial;
  readonly clock: Clock;
  readonly log: Log;
  /** Called with new files, to be used from now on. */
  readonly onChange: (material: TlsMaterial) => void;
  /** Milliseconds between two looks; 5 s by default. */
  readonly pollMs?: number;
}

/** These are four small files: not worth a watch on each folder. */
const defaultPollMs = 5_000;

export class TlsReload implements Disposable {
  readonly #options: TlsReloadOptions;
  #material: TlsMaterial;
  /** What the last look has seen: the files, or why they can't be read. */
  #seen = "";
  /** The mistake that was last reported. */
  #told = "";
  #warnedAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #isDisposed = false;

  constructor(options: TlsReloadOptions) {
    this.#options = options;
    this.#material = options.material;
    this.#warnOfExpiry();
    this.#poll();
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#timer?.cancel();
  }

  #poll(): void {
    const { clock, pollMs = defaultPollMs } = this.#options;
    this.#timer = clock.after(pollMs, () => {
      void this.#look().then(() => {
        if (this.#isDisposed) return;
        this.#warnOfExpiry();
        this.#poll();
      });
    });
  }

  async #look(): Promise<void> {
    const { tls, host, clock, log, onChange } = this.#options;
    const before = this.#seen;
    this.#seen = "";
    try {
      const texts = await readTlsFiles(tls);
      if (this.#isDisposed) return;
      this.#seen = JSON.stringify(texts);
      if (isSame(texts, this.#material.texts)) {
        this.#told = "";
        return;
      }
      this.#material = checkTls(tls, texts, { host, nowMs: clock.wallMs() });
      this.#told = "";
    } catch (error) {
      const { message } = error as Error;
      this.#seen ||= message;
      if (this.#seen === before && message !== this.#told) {
        log.error("the tls files have changed and are wrong; the node goes on with what it had", { error });
        this.#told = message;
      }
      return;
    }
    const { validToDate } = this.#material.certificate;
    log.info("the tls files have changed: new connections use them", { expires: dateText(validToDate) });
    this.#warnedAtMs = Number.NEGATIVE_INFINITY;
    onChange(this.#material);
  }

  /** Warns once a day. */
  #warnOfExpiry(): void {
    const { tls, clock, log } = this.#options;
    const nowMs = clock.wallMs();
    const { validToDate } = this.#material.certificate;
    const leftMs = validToDate.getTime() - nowMs;
    if (leftMs > tls.warnDays * dayMs || nowMs - this.#warnedAtMs < dayMs) return;
    this.#warnedAtMs = nowMs;
    const fields = { file: tls.cert, expires: dateText(validToDate) };
    if (leftMs > 0) log.warn("the certificate expires soon: renew it", fields);
    else log.error("the certificate has expired: clients and the other nodes refuse it", fields);
  }
}

function isSame(a: TlsTexts, b: TlsTexts): boolean {
  return a.cert === b.cert && a.key === b.key && a.ca === b.ca && a.clientCa === b.clientCa;
}
