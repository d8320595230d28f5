/** Planted bugs of membership: who may change the view, and what a change has to keep. */

import type { Mutation } from "./mutate.ts";

const viewChanges = "src/core/view-changes.ts";
const joining = "src/member/views/joining.ts";
const leaving = "src/member/views/leaving.ts";
const record = "src/member/views/view-record.ts";

export const memberMutations: readonly Mutation[] = [
  {
    name: "drop-without-half",
    world: "isolation",
    breaks: "V17: a drop keeps at least half of the voters' folders of each view since the last settled one",
    edits: [
      {
        file: viewChanges,
        find: ">= voters.length;\n  });",
        replace: ">= 0;\n  });",
      },
    ],
  },
  {
    name: "drop-with-less-than-half",
    world: "isolation",
    breaks: "V17: a drop keeps at least half of the voters' folders of each view since the last settled one",
    edits: [
      {
        file: viewChanges,
        find: ">= voters.length;\n  });",
        replace: ">= voters.length - 1;\n  });",
      },
    ],
  },
  {
    name: "half-of-the-newest-view-only",
    world: "isolation",
    breaks: "V17: half of each view since the last settled one is kept, not of the newest one alone",
    test: {
      file: "test/unit/core/view-changes.test.ts",
      name: "counts in every view since the last settled one, not in the newest alone",
      says: /of three, one is left/,
    },
    edits: [
      {
        file: viewChanges,
        find: "  return next.lineage.every((past) => {",
        replace: "  return next.lineage.slice(-1).every((past) => {",
      },
    ],
  },
  {
    name: "half-counted-by-id",
    world: "twins",
    breaks: "V4: folders are counted, never ids, where half of a view is to be kept",
    edits: [
      {
        file: viewChanges,
        find: "voters.filter((member) => kept.has(member.folder) ||",
        replace:
          "voters.filter((member) => kept.has(member.folder) || next.members.some(({ id }) => id === member.id) ||",
      },
    ],
  },
  {
    name: "doubt-judged-by-id",
    world: "failures",
    breaks: "V4: folders are counted, never ids, where all owners of a key are gone",
    edits: [
      {
        file: "src/core/doubt.ts",
        find: "      const missing = past.members.filter((member) => !folders.has(member.folder) &&",
        replace:
          "      const ids = new Set(view.members.map((member) => member.id));\n      const missing = past.members.filter((member) => !ids.has(member.id) &&",
      },
    ],
  },
  {
    name: "another-folder-is-no-drop",
    world: "twins",
    breaks: "V21: an id that joins with another folder drops the old one",
    edits: [
      {
        file: viewChanges,
        find: "    dropped: view.members.some((each) => !folders.has(each.folder)",
        replace: "    dropped: view.members.some((each) => !members.some(({ id }) => id === each.id)",
      },
    ],
  },
  {
    name: "joins-without-reaching-everybody",
    world: "oneLoss",
    breaks: "V22: a process whose id is not listed joins only when it reaches every member",
    edits: [
      {
        file: joining,
        find: "    if (missing.length > 0 && !this.#areSilent(view, missing))\n",
        replace: "    if (missing.length > 1e9)\n",
      },
    ],
  },
  {
    name: "founds-beside-a-peer-in-a-view",
    world: "viewLosses",
    breaks: "V54: no process makes a first view while a peer with a link is in one",
    edits: [
      {
        file: joining,
        find: "    if (!view && this.#ahead.length > 0)\n",
        replace: "    if (!view && this.#ahead.length > 1e9)\n",
      },
    ],
  },
  {
    name: "founds-before-it-has-heard-its-peers",
    world: "viewLosses",
    breaks: "V54: a process without a view asks the nodes of its configuration before it makes a first one",
    edits: [
      {
        file: joining,
        find: "    if (clock.now() - this.#since < foundingWaitMs && !this.#hasHeardAll()) return undefined;\n",
        replace: "",
      },
    ],
  },
  {
    name: "an-empty-folder-forgets-its-cluster",
    world: "viewLosses",
    breaks: "V25: a data folder that has been in another cluster founds none and joins none, even if it is empty",
    edits: [
      {
        file: joining,
        find: "    if (cluster !== undefined && cluster !== view?.parameters.clusterId) {\n",
        replace: "    if (cluster !== undefined && cluster !== view?.parameters.clusterId && buffer.size > 0) {\n",
      },
    ],
  },
  {
    name: "joins-an-earlier-view-than-its-folder-has-been-in",
    world: "viewLosses",
    breaks: "V60: no process joins a view that is older than what its data folder has adopted",
    edits: [
      {
        file: joining,
        find: "    if (view && (membership.adoptedEpochs.at(-1) ?? 0) > view.epoch && cluster !== undefined)\n",
        replace:
          "    if (view && (membership.adoptedEpochs.at(-1) ?? 0) > 1e9 + view.epoch && cluster !== undefined)\n",
      },
      { file: joining, find: "    if (newer.length > 0)\n", replace: "    if (newer.length > 1e9)\n" },
    ],
  },
  {
    name: "waiting-ends-over-a-record-in-part",
    world: "viewLosses",
    breaks: "V60: a process that waits for another record goes on waiting while what is there is no view",
    test: {
      file: "test/unit/member/views/joining.test.ts",
      name: "goes on waiting while the record is put back and is there in part, and ends with such a record when it starts",
      says: /is not JSON/,
    },
    edits: [
      { file: joining, find: 'return this.#toldAt === undefined ? [] : ["store_refused"];', replace: "return [];" },
    ],
  },
  {
    name: "an-earlier-state-of-a-folder-goes-unnoticed",
    world: "snapshots",
    breaks: "V62: a process whose folder knows less than it has told takes no part",
    edits: [
      {
        file: "src/core/folder-history.ts",
        find: "    if (known && least && isBehind(least, known.journaled)) {\n",
        replace: "    if (known && least && isBehind({ ...least, offset: least.offset + 1e9 }, known.journaled)) {\n",
      },
    ],
  },
  {
    name: "an-earlier-state-is-judged-by-what-was-written-since",
    world: "snapshots",
    breaks: "V62: what counts is how far the folder had come when its process began",
    test: {
      file: "test/unit/core/folder-history.test.ts",
      name: "takes the next process for what it is by where its journal began, not by what it has written since",
      says: /3\/49/,
    },
    edits: [
      {
        file: "src/core/folder-history.ts",
        find: "known?.incarnation !== incarnation ? began : isFirst",
        replace: "known?.incarnation !== incarnation ? journaled : isFirst",
      },
    ],
  },
  {
    name: "delivers-before-all-have-answered",
    world: "snapshots",
    breaks: "V62: a process delivers when every member of its view has answered it",
    test: {
      file: "test/unit/member/views/view-life.test.ts",
      name: "delivers nothing before every other member has answered this process, or if one knows more of its folder",
      says: /nobody has vouched/,
    },
    edits: [
      {
        file: "src/core/membership.ts",
        find: "    this.#isVouchedFor ||= this.peers.every(({ incarnation }) => this.#answered.has(incarnation));",
        replace: "    this.#isVouchedFor = true;",
      },
    ],
  },
  {
    name: "leaves-without-weight-0-first",
    world: "members",
    breaks: "V27: a member that leaves first makes its weight 0",
    edits: [
      {
        file: leaving,
        find: "      if (own > 0) return reweightedView(view, id, 0, random.id());\n",
        replace: "",
      },
    ],
  },
  {
    name: "leaves-before-the-view-is-settled",
    world: "members",
    breaks: "V28: a member takes itself out only of a settled view",
    edits: [
      {
        file: leaving,
        find: "      return isSettled ? leftView(view, id, random.id()) : undefined;\n    }\n",
        replace: "      return leftView(view, id, random.id());\n    }\n",
      },
    ],
  },
  {
    name: "last-one-leaves-before-all-is-flushed",
    world: "members",
    breaks: "V29: the last owner leaves when everything is in the store",
    edits: [
      {
        file: leaving,
        find: "    const isDone = isSettled && this.#isEmpty();",
        replace: "    const isDone = isSettled;",
      },
    ],
  },
  {
    name: "view-swapped-unconditionally",
    world: "members",
    breaks: "V1: the view changes only by compare-and-swap",
    edits: [
      { file: record, find: '{ kind: "unchanged", tag: read.tag } as const', replace: '{ kind: "always" } as const' },
    ],
  },
  {
    name: "swap-of-unknown-outcome-taken-for-won",
    world: "members+store",
    breaks: "V2: a swap whose answer was lost has won only if the record has its proposal",
    edits: [
      {
        file: record,
        find: "      return stored?.view.proposal === next.proposal;",
        replace: "      return stored !== undefined;",
      },
    ],
  },
  {
    name: "incarnations-not-told-apart",
    world: "crashes",
    breaks: "V5: a process is known by its id and incarnation",
    edits: [
      {
        file: "src/core/view.ts",
        find: "member.id === process.id && member.incarnation === process.incarnation",
        replace: "member.id === process.id",
      },
    ],
  },
  {
    name: "nobody-is-dropped",
    world: "oneLoss",
    breaks: "V16: a member that is silent for D is suspected, and dropped",
    edits: [
      {
        file: "src/member/views/eviction.ts",
        find: "    if (count === 0) return;\n",
        replace: "    if (count >= 0) return;\n",
      },
    ],
  },
  {
    name: "pings-answered-while-the-journal-is-stuck",
    world: "oneLoss",
    breaks: "V20: a member whose journal is not written answers no pings",
    edits: [
      {
        file: "src/member/views/gossip.ts",
        find: "    if (journal.lagMs > settings.suspectMs)",
        replace: "    if (journal.lagMs > 1e9 + settings.suspectMs)",
      },
    ],
  },
];
