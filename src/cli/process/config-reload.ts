/**
 * What a running node does when its cluster.json changes. Nodes, tokens, names of hosts, secrets and the log's level
 * take effect at once. Everything else takes effect at the next start, and the log says so.
 *
 * A file with mistakes changes nothing. Neither does the file of another cluster, which is there by accident. An editor
 * that writes in place leaves the file empty or half written for a moment. So a mistake is told only if it stays.
 */

import type { Clock, Timer } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { type ConfigChanges, configChanges, sharedSettings, storeSettings } from "../../config/changes.ts";
import { type Config, type ConfigContext, fileContext, parseConfig } from "../../config/config.ts";
import { accessMistakes } from "../../config/cross-checks.ts";
import type { FileObserver } from "../../config/file-watch.ts";
import { mistakesMessage } from "../../config/mistakes.ts";

/** What can be changed about a running node. */
export interface Reloadable {
  /** Takes over what can change while the node runs. Nodes that are no longer listed are asked to leave. */
  reconfigure(config: Config): void;
  /** Begins to take the node out of the cluster. */
  leave(): void;
}

export interface ConfigReloadOptions {
  readonly path: string;
  readonly env: ConfigContext["env"];
  /** What the node was started with. */
  readonly running: Config;
  /** The node's id. */
  readonly node: string;
  readonly target: Reloadable;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Milliseconds that a mistake must stay before it is told. FileWatch looks several times in it after a sign of a
 * change.
 */
const patienceMs = 1_000;

export class ConfigReload implements FileObserver, Disposable {
  readonly #options: ConfigReloadOptions;
  /** The configuration in force, as far as it can change while the node runs. */
  #latest: Config;
  /** The settings that were last said to need a restart. */
  #told = "";
  #isLeaving = false;
  /** The mistake that was last told, or is about to be. */
  #reported = "";
  /** Tells the mistake, unless the file is corrected before. */
  #complaint: Timer | undefined;

  constructor(options: ConfigReloadOptions) {
    this.#options = options;
    this.#latest = options.running;
  }

  onChange(text: string): boolean {
    const { path, env } = this.#options;
    if (this.#isLeaving) return true;
    let next: Config;
    try {
      next = parseConfig(text, fileContext(path, { env, purpose: "member" }));
    } catch (error) {
      this.#complain("the configuration has changed and is wrong; the node goes on with what it had", error as Error);
      // A secret's file may come later than the file that names it.
      return false;
    }
    this.#complaint?.cancel();
    this.#reported = "";
    this.#take(next);
    return true;
  }

  #take(newer: Config): void {
    const { running, node, target, log } = this.#options;
    if (newer.cluster !== running.cluster) {
      const { cluster } = newer;
      log.error("the configuration has changed to that of another cluster; the node goes on with what it had", {
        cluster,
      });
      return;
    }
    if (!newer.nodes.some(({ id }) => id === node)) {
      log.warn("this node is no longer in the configuration: it leaves the cluster and ends");
      this.#isLeaving = true;
      target.leave();
      return;
    }
    const next = this.#withSafeAuth(newer);
    this.#tellRestart(configChanges(running, next, node));
    const { added, removed, moved, live } = configChanges(this.#latest, next, node);
    this.#latest = next;
    const hasOtherNodes = added.length + removed.length + moved.length > 0;
    if (!hasOtherNodes && live.length === 0) {
      log.info("the configuration was read again: nothing that can change while the node runs has changed");
      return;
    }
    if (hasOtherNodes) {
      const nodes = next.nodes.map(({ id }) => id);
      log.info("the configuration has changed: these nodes count from now on", { nodes, added, removed, moved });
    }
    if (live.length > 0) {
      log.info("the configuration has changed: these settings count from now on", { settings: live.join(", ") });
    }
    target.reconfigure(next);
  }

  /** An operator asks for the file to be read: a mistake that was told before is told again. */
  tellAgain(): void {
    this.#reported = "";
  }

  onUnreadable(error: Error): void {
    this.#complain("the configuration can't be read; the node goes on with what it had", error);
  }

  [Symbol.dispose](): void {
    this.#complaint?.cancel();
  }

  /** Without the stack: it is the file's mistake. Once for each mistake: the file is read again and again. */
  #complain(what: string, { message }: Error): void {
    const { clock, log } = this.#options;
    if (message === this.#reported) return;
    this.#reported = message;
    this.#complaint?.cancel();
    this.#complaint = clock.after(patienceMs, () => log.error(what, { reason: message }));
  }

  /**
   * With the `auth` in force if the newer one fits only an address, or pages, that count from the next start on. The
   * node would let in all that reach it.
   */
  #withSafeAuth(next: Config): Config {
    const { nodes, listen, http } = this.#options.running;
    const { auth: inForce } = this.#latest;
    // "none" is meant where the newer file exposes the node by itself. Where it is in force, it is nothing new.
    const isMeant = inForce === "none" || accessMistakes({ nodes: next.nodes, listen: next.listen }).length > 0;
    const auth = next.auth === "none" && !isMeant ? undefined : next.auth;
    const [mistake] = accessMistakes({ auth, nodes, listen, http });
    if (mistake === undefined) return next;
    this.#options.log.error(
      "auth has changed, and does not fit what this node was started with; it keeps the auth that it had until it is started again",
      { reason: mistakesMessage("auth", [mistake]) },
    );
    const { auth: _unsafe, ...rest } = next;
    return inForce === undefined ? rest : { ...rest, auth: inForce };
  }

  /** Once for each set of settings. Otherwise every other change of the file would repeat it. */
  #tellRestart(changes: ConfigChanges): void {
    const settings = changes.needRestart.join(", ");
    if (settings === this.#told) return;
    this.#told = settings;
    const { log } = this.#options;
    const needRestart = changes.needRestart.filter((path) => !storeSettings.includes(path));
    const store = changes.needRestart.filter((path) => storeSettings.includes(path));
    if (store.length > 0) {
      log.warn(
        "the store has changed in the configuration; a node that is restarted with it alone finds no cluster there and waits. To move, stop all nodes in order, copy the store with its .weir/, and start them all",
        { settings: store.join(", ") },
      );
    }
    const own = needRestart.filter((path) => !sharedSettings.includes(path));
    const shared = needRestart.filter((path) => sharedSettings.includes(path));
    if (own.length > 0) {
      log.warn("these settings have changed and take effect when the node is started again", {
        settings: own.join(", "),
      });
    }
    if (shared.length > 0) {
      log.warn("these settings have changed and take effect once all nodes have left and are started again", {
        settings: shared.join(", "),
      });
    }
  }
}
