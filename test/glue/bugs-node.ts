/** Planted bugs of the composition of a node. */

import type { GlueBug } from "./glue-bug.ts";

const compose = "src/compose.ts";
const networks = "src/node-networks.ts";
const composeTest = "test/integration/compose.test.ts";

const spareTest = {
  file: composeTest,
  name: "a node's streams leave time to small requests, its clients' and those that come by other nodes",
} as const;

export const nodeBugs: readonly GlueBug[] = [
  {
    name: "peers-requests-are-not-told",
    breaks: "Streams leave time to what other nodes ask for their clients.",
    edits: [
      {
        file: networks,
        find: "if (isSmall(request)) this.#spare.served(systemClock.now());",
        replace: "isSmall(request);",
      },
    ],
    test: { ...spareTest, says: /another node asks/ },
  },
  {
    name: "small-requests-are-not-told",
    breaks: "Streams leave time to small requests of clients.",
    edits: [{ file: "src/http/request-router.ts", find: "    this.#bodies.answered(exchange, now);\n", replace: "" }],
    test: {
      file: "test/integration/http-spare-time.test.ts",
      name: "small requests of both dialects are told, large ones wait for spare time and are no small ones",
      says: /deep-equal/,
    },
  },
  {
    name: "pings-count-as-requests",
    breaks: "Streams have the whole event loop where nothing else is asked for: pings come all the time.",
    edits: [{ file: networks, find: "if (isSmall(request)) this.#spare", replace: "this.#spare" }],
    test: { ...spareTest, says: /nothing else is asked for/ },
  },
  {
    name: "failed-journal-passed-over",
    breaks: "J8: A node whose journal has failed takes no part any more.",
    edits: [
      {
        file: "src/member/host.ts",
        find: "await journals.open(this.#failures, resolve)",
        replace: "await journals.open(this.#failures, () => void resolve)",
      },
    ],
    test: {
      file: composeTest,
      name: "a node whose journal has failed takes no part any more, says why, and has acknowledged nothing since",
      says: /the node goes on without a journal/,
    },
  },
  {
    name: "joins-without-trying-its-disk",
    breaks: "J11: A node tries its disk out before it joins.",
    edits: [
      {
        file: "src/journal/disk-journals.ts",
        find: "      await tryDisk(disk, {",
        replace: "      if (failures < 0) await tryDisk(disk, {",
      },
    ],
    test: {
      file: composeTest,
      name: "a node whose disk does not work when it starts takes no part before it works",
      says: /it has not come about in time: it tries again/,
    },
  },
  {
    name: "trial-without-a-sync",
    breaks: "J11: The trial of a disk syncs what it writes.",
    edits: [{ file: "src/journal/disk-trial.ts", find: "    await file.sync();\n", replace: "" }],
    test: {
      file: composeTest,
      name: "a node whose disk does not work when it starts takes no part before it works",
      says: /it has not come about in time: it tries again/,
    },
  },
  {
    name: "new-folder-in-place-of-the-one-that-is-away",
    breaks: "J12: A process keeps its data folder.",
    edits: [
      {
        file: compose,
        find: "openDisk: () => folder.open()",
        replace: "openDisk: () => new DataFolder(path, systemRandom).open()",
      },
    ],
    test: {
      file: composeTest,
      name: "a node whose data folder is away when it tries it again waits for that folder, and makes no other",
      says: /it has not come about in time: it misses the folder/,
    },
  },
  {
    name: "failed-journal-kept-for-its-figures",
    breaks: "A journal that has failed is let go: the next one reads all that its member held.",
    edits: [
      {
        file: "src/journal/disk-journals.ts",
        find: "      hasFailed = true;\n      this.#keepFigures();\n",
        replace: "      hasFailed = true;\n",
      },
    ],
    test: {
      file: composeTest,
      name: "a node whose journal has failed keeps nothing of its member in memory: the next one reads all of it again",
      says: /it has not come about in time: its member and its journal are let go/,
    },
  },
  {
    name: "ended-network-kept",
    breaks: "A network that has ended is let go, with the member that it served.",
    edits: [{ file: networks, find: "        if (this.#latest === network) this.#latest = undefined;\n", replace: "" }],
    test: {
      file: composeTest,
      name: "a node whose journal has failed keeps nothing of its member in memory: the next one reads all of it again",
      says: /it has not come about in time: its member and its journal are let go/,
    },
  },
  {
    name: "node-without-its-journal",
    breaks: "What a node holds for others is in its journal.",
    edits: [
      {
        file: compose,
        find: "journals: diskJournals ?? {",
        replace: "journals: {",
      },
    ],
    test: {
      file: composeTest,
      name: "a node whose journal has failed takes no part any more, says why, and has acknowledged nothing since",
      says: /the node goes on without a journal/,
    },
  },
  {
    name: "data-folder-shared",
    breaks: "Each node has a data folder of its own.",
    edits: [
      {
        file: compose,
        find: "const path = dataFolder(config, nodeId);",
        replace: 'const path = dataFolder(config, "all");',
      },
    ],
    test: {
      file: composeTest,
      name: "a node writes its journal into its data folder and its values into the store, and counts both",
      says: /ENOENT: .*data\/a/,
    },
  },
  {
    name: "store-not-counted",
    breaks: "Every request to the store is counted.",
    edits: [
      {
        file: compose,
        find: "      store,\n      journals:",
        replace: "      store: stack.use(openConfiguredStore(config, log)),\n      journals:",
      },
    ],
    test: {
      file: composeTest,
      name: "a node writes its journal into its data folder and its values into the store, and counts both",
      says: /weir_store_requests_total\\\{/,
    },
  },
  {
    name: "journal-though-off",
    breaks: "A node with journal off writes none.",
    edits: [
      {
        file: compose,
        find: 'config.journal === "off" ?',
        replace: "config.journal === undefined ?",
      },
    ],
    test: { file: composeTest, name: "a node without a journal makes no data folder", says: /includes\("data"\)/ },
  },
  {
    name: "folders-not-let-go",
    breaks: "A node that could not start lets its folders go.",
    edits: [
      {
        file: "src/member/host.ts",
        find: "await this.#opened?.journal[Symbol.asyncDispose]();\n  }\n\n  /** To be",
        replace: "}\n\n  /** To be",
      },
    ],
    test: {
      file: composeTest,
      name: "a node that can't listen lets its data folder go",
      says: /another process uses the data folder/,
    },
  },
  {
    name: "stopped-node-keeps-its-folders",
    breaks: "A node that has stopped lets its folders and its port go.",
    edits: [{ file: compose, find: "      await resources.disposeAsync();\n", replace: "" }],
    test: {
      file: composeTest,
      name: "a node that is started again on its folders has what it held, and its ports and folders are free in between",
      says: /another process uses the data folder/,
    },
  },
  {
    name: "weight-not-told",
    breaks: "A node owns as much as its weight says.",
    edits: [{ file: compose, find: "weight: node.weight, ...zoneOf", replace: "weight: 1, ...zoneOf" }],
    test: {
      file: composeTest,
      name: "a node tells the cluster its own zone, weight and address",
      says: /\+\s+1\n-\s+3/,
    },
  },
  {
    name: "zone-not-told",
    breaks: "A key's owners are taken from different zones.",
    edits: [{ file: compose, find: "weight: node.weight, ...zoneOf(node)", replace: "weight: node.weight" }],
    test: { file: composeTest, name: "a node tells the cluster its own zone, weight and address", says: /-\s+'north'/ },
  },
  {
    name: "old-tokens-go-on",
    breaks: "Tokens that change count at once.",
    edits: [{ file: compose, find: "      access.setRules(accessRules(next));\n", replace: "" }],
    test: {
      file: composeTest,
      name: "tokens that change count at once, the old ones no more",
      says: /\+\s+204,\n\s+401/,
    },
  },
  {
    name: "old-buckets-go-on",
    breaks: "Buckets of S3 that change count at once.",
    edits: [{ file: compose, find: "      buckets.setRules(s3Rules(next));\n", replace: "" }],
    test: {
      file: composeTest,
      name: "buckets that change count at once, the old ones no more",
      says: /\+\s+200,\n\s+404,\n-\s+200/,
    },
  },
  {
    name: "old-secret-goes-on",
    breaks: "Secrets that change count at once.",
    edits: [{ file: compose, find: "      networks.setSecrets(next);\n", replace: "" }],
    test: {
      file: composeTest,
      name: "secrets and nodes that change count at once: two nodes that knew nothing of each other are one cluster",
      says: /a and b are one cluster/,
    },
  },
  {
    name: "secrets-kept-by-the-network",
    breaks: "Each handshake asks for the secrets anew.",
    edits: [
      {
        file: networks,
        find: "      secrets: () => this.#secrets,",
        replace: "      secrets: ((kept) => () => kept)(this.#secrets),",
      },
    ],
    test: {
      file: composeTest,
      name: "secrets and nodes that change count at once: two nodes that knew nothing of each other are one cluster",
      says: /a and b are one cluster/,
    },
  },
  {
    name: "calls-of-peers-not-passed-on",
    breaks: "The calls of peers reach the network.",
    edits: [
      {
        file: networks,
        find: "else this.#latest.accept(request, socket, head);",
        replace: "else void [request, socket, head];",
      },
    ],
    test: {
      file: composeTest,
      name: "secrets and nodes that change count at once: two nodes that knew nothing of each other are one cluster",
      says: /a and b are one cluster/,
    },
  },
  {
    name: "leaving-node-stays-ready",
    breaks: "A node that leaves tells load balancers first.",
    edits: [{ file: compose, find: "    host.withdraw();\n", replace: "" }],
    test: {
      file: composeTest,
      name: "a node that is told to leave is ready no more, leaves, and says that it has ended",
      says: /load balancers are told first/,
    },
  },
  {
    name: "clients-told-when-the-node-goes",
    breaks: "A node that leaves sends clients of kept connections away while it still serves.",
    edits: [{ file: compose, find: "  http.sendAway();\n", replace: "" }],
    test: {
      file: composeTest,
      name: "a node that leaves serves as before at first, and sends clients of kept connections away before it goes",
      says: /nobody away while it still serves/,
    },
  },
  {
    name: "node-that-has-left-does-not-end",
    breaks: "A node that has left the cluster ends.",
    edits: [
      {
        file: compose,
        find: 'onLeft: () => end("it has left the cluster"),',
        replace: "onLeft: () => undefined,",
      },
    ],
    test: {
      file: composeTest,
      name: "a node that is told to leave is ready no more, leaves, and says that it has ended",
      says: /'nothing'/,
    },
  },
  {
    name: "asked-to-leave-in-vain",
    breaks: "A node that an operator asks to leave leaves.",
    edits: [
      {
        file: compose,
        find: "        leave: () => leave(),\n      },\n      onScrape",
        replace: "        leave: () => undefined,\n      },\n      onScrape",
      },
    ],
    test: { file: composeTest, name: "a node that an operator asks to leave over HTTP ends", says: /'nothing'/ },
  },
  {
    name: "replaced-node-goes-on",
    breaks: "A node in whose place another process has joined ends.",
    edits: [{ file: compose, find: "onReplaced: () => fail(", replace: "onReplaced: () => void (" }],
    test: {
      file: composeTest,
      name: "a node learns from the view that another process has joined as itself, and can't go on",
      says: /it goes on although it was replaced/,
    },
  },
  {
    name: "old-certificate-shown",
    breaks: "A certificate that is renewed is shown to clients.",
    edits: [{ file: compose, find: "    http.setTls(material.texts);\n", replace: "" }],
    test: {
      file: composeTest,
      name: "a certificate that is renewed is shown to clients, and its end is told, without a restart",
      says: /the new certificate is shown/,
    },
  },
  {
    name: "links-use-the-old-certificate",
    breaks: "New links use the certificate that is renewed.",
    edits: [{ file: compose, find: "    networks.tls = material;\n", replace: "" }],
    test: {
      file: composeTest,
      name: "a certificate that is renewed is shown to clients, and its end is told, without a restart",
      says: /the end of the old certificate is told/,
    },
  },
];
