/**
 * How far the journals of the peers have come, as they have told. A process whose folder has not come as far as it has
 * told is on an earlier state of it: that was brought back from a snapshot, or the disk has lost what it had synced.
 * What the folder has said it holds since is gone, and what others have removed since would come back (V62).
 *
 * This is remembered in memory only, and by each process for itself.
 */

import type { FolderState, JournalPosition, PeerIdentity } from "./message.ts";

/** So many folders, and processes on earlier states, are remembered: those told of last. */
const mostFolders = 1_000;

interface Known {
  readonly incarnation: string;
  readonly journaled: JournalPosition;
}

export class FolderHistory {
  /** By the folder's name. */
  readonly #known = new Map<string, Known>();
  /** Peers with a link on which nothing has come yet. */
  readonly #linked = new Set<string>();
  readonly #broughtBack = new Set<string>();

  /** The incarnations of processes whose folder was brought back. */
  get broughtBack(): readonly string[] {
    return [...this.#broughtBack];
  }

  isBroughtBack({ incarnation }: PeerIdentity): boolean {
    return this.#broughtBack.has(incarnation);
  }

  /** A link to the peer is up: what comes on it was told later than all before. */
  onLinkUp({ id }: PeerIdentity): void {
    this.#linked.add(id);
  }

  /** A peer tells of its folder. */
  hear({ id, incarnation }: PeerIdentity, { name, began, journaled }: FolderState): void {
    const isFirst = this.#linked.delete(id);
    if (this.#broughtBack.has(incarnation)) return;
    const known = this.#known.get(name);
    // On one link a notice may overtake the answer to a ping. What an earlier process has told was told before.
    const least = known?.incarnation !== incarnation ? began : isFirst ? journaled : undefined;
    if (known && least && isBehind(least, known.journaled)) {
      add(this.#broughtBack, incarnation);
      return;
    }
    if (known?.incarnation === incarnation && isBehind(journaled, known.journaled)) return;
    this.#known.delete(name);
    this.#known.set(name, { incarnation, journaled });
    if (this.#known.size > mostFolders) this.#known.delete(this.#known.keys().next().value as string);
  }
}

function add(set: Set<string>, value: string): void {
  set.add(value);
  if (set.size > mostFolders) set.delete(set.values().next().value as string);
}

function isBehind(one: JournalPosition, other: JournalPosition): boolean {
  return one.segment < other.segment || (one.segment === other.segment && one.offset < other.offset);
}
