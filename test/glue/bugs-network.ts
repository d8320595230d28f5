/** Planted bugs of the network of links. */

import type { GlueBug } from "./glue-bug.ts";

const network = "src/network/http-network.ts";
const dutiesTest = "test/integration/link-duties.test.ts";
const lifeTest = "test/integration/link-life.test.ts";
const trustTest = "test/integration/link-trust.test.ts";

export const networkBugs: readonly GlueBug[] = [
  {
    name: "newer-link-up-before-the-older-is-down",
    breaks: "W27: The older link is down before the newer one is up.",
    edits: [
      {
        file: network,
        find: "    this.#handler?.onLinkDown(link.peer);",
        replace: "    setImmediate(() => this.#handler?.onLinkDown(link.peer));",
      },
    ],
    test: {
      file: dutiesTest,
      name: "link: nothing of an older link is delivered once a newer one is up",
      says: /\+\s+'up',\n\s+'down'/,
    },
  },
  {
    name: "older-link-goes-on",
    breaks: "W27: Nothing of an older link is delivered once a newer one is up.",
    edits: [
      {
        file: network,
        find: "    peer.link = undefined;\n    link?.close(reason);",
        replace:
          "    peer.link = undefined;\n    void reason;\n    if (link !== undefined) this.#handler?.onLinkDown(link.peer);",
      },
    ],
    test: {
      file: dutiesTest,
      name: "link: nothing of an older link is delivered once a newer one is up",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "calls-itself",
    breaks: "A member does not call itself, though it is in the list.",
    edits: [{ file: network, find: "    urls.delete(this.#options.identity.id);\n", replace: "" }],
    test: {
      file: dutiesTest,
      name: "link: a member does not call itself, though it is in everyone's list",
      says: /has called itself/,
    },
  },
  {
    name: "link-of-a-removed-peer-kept",
    breaks: "A link to a peer that has left the list is closed.",
    edits: [{ file: network, find: '      else peer.link.close("it is no longer among the peers");\n', replace: "" }],
    test: {
      file: lifeTest,
      name: "link: a caller that is not in the list stays linked, and one that leaves the list does not",
      says: /\+\s+id: 'b'/,
    },
  },
  {
    name: "broken-link-not-made-again",
    breaks: "A link to a peer in the list that breaks is made again.",
    edits: [{ file: network, find: "      else peer.dialler.begin();\n", replace: "" }],
    test: {
      file: dutiesTest,
      name: "link: one that is closed on purpose fails what is under way, and its peer is dialled again",
      says: /it has not come about in time/,
    },
  },
  {
    name: "disconnect-does-nothing",
    breaks: "A link that the member closes is closed.",
    edits: [
      { file: network, find: "    this.#peers.get(id)?.link?.close(reason);", replace: "    void [id, reason];" },
    ],
    test: {
      file: dutiesTest,
      name: "link: one that is closed on purpose fails what is under way, and its peer is dialled again",
      says: /\+\s+id: 'b'/,
    },
  },
  {
    name: "own-id-let-in",
    breaks: "Another process with this node's id gets no link.",
    edits: [{ file: network, find: "    if (caller.id === self.id) {", replace: '    if (caller.id === "") {' }],
    test: {
      file: trustTest,
      name: "link: another cluster, another version, an own id and a wrong address are refused in plain words",
      says: /"code":"self"/,
    },
  },
  {
    name: "silent-callers-kept",
    breaks: "A caller that says nothing is given up in time.",
    edits: [{ file: network, find: '() => deadline.abort(new Error("no proof in time"))', replace: "() => undefined" }],
    test: { file: trustTest, name: "link: callers that say nothing are few, and not for long", says: /timed out/ },
  },
  {
    name: "silent-callers-keep-peers-out",
    breaks: "The caller that has taken longest makes room for others.",
    edits: [
      {
        file: network,
        find: "    for (const oldest of this.#callers) {",
        replace: "    for (const oldest of [...this.#callers].reverse()) {",
      },
    ],
    test: {
      file: trustTest,
      name: "link: callers that say nothing do not keep a peer out",
      says: /that which has said nothing for longest/,
    },
  },
  {
    name: "another-protocol-answered",
    breaks: "An upgrade to another protocol is answered with the one that is spoken.",
    edits: [
      {
        file: network,
        find: "    if (request.headers.upgrade?.toLowerCase() !== peerProtocol) {",
        replace: "    if (request.headers.upgrade === undefined) {",
      },
    ],
    test: {
      file: trustTest,
      name: "link: another protocol in the upgrade is answered with the one that is spoken",
      says: /HTTP\\\/1\.1 426/,
    },
  },
];
