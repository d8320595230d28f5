/** Planted bugs of the store in Azure, and of what it shares with that in S3. */

import type { GlueBug } from "./glue-bug.ts";

const azure = "src/store/azure/azure-store.ts";
const azureClient = "src/store/azure/azure-client.ts";
const azureUploads = "src/store/azure/azure-uploads.ts";
const azureErrors = "src/store/azure/azure-errors.ts";
const pools = "src/store/http/store-pools.ts";
const signed = "src/store/http/signed-exchange.ts";
const exchange = "src/store/http/exchange.ts";
const time = "src/store/http/store-time.ts";
const probe = "src/store/probe-steps.ts";
const wire = "src/store/http/wire-headers.ts";
const requestsTest = "test/unit/store/http/store-requests.test.ts";
const azureClientTest = "test/unit/store/azure/azure-client.test.ts";
const azureAnswersTest = "test/unit/store/azure/azure-answers.test.ts";
const poolsTest = "test/unit/store/http/store-pools.test.ts";
const timeTest = "test/unit/store/http/store-time.test.ts";
const foreignTest = "test/unit/store/http/store-foreign-answers.test.ts";
const versioningTest = "test/unit/store/s3/s3-versioning.test.ts";
const exchangeTest = "test/unit/store/http/exchange.test.ts";

export const azureBugs: readonly GlueBug[] = [
  {
    name: "azure-sends-without-consent",
    breaks: "F1: AzureClient asks for the caller's consent before it sends.",
    edits: [{ file: azureClient, find: "    options.authorize?.();\n", replace: "" }],
    test: {
      file: azureClientTest,
      name: "AzureStore sends nothing when the caller withdraws at the last moment, or once its time is over",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "azure-removes-without-consent",
    breaks: "F1: AzureStore asks for the caller's consent before it removes.",
    edits: [
      {
        file: azure,
        find: 'permission: "d", headers }, options), blob',
        replace: 'permission: "d", headers }, { deadlineMs: options.deadlineMs }), blob',
      },
    ],
    test: {
      file: requestsTest,
      name: "azure: each change asks for the caller's consent once, and without it nothing is sent",
      says: /Missing expected rejection: remove/,
    },
  },
  {
    name: "azure-completes-without-consent",
    breaks: "F1: AzureStore asks for the caller's consent before it completes an upload.",
    edits: [
      {
        file: azureUploads,
        find: "      { ...options, deadlineMs: deadlineMs -",
        replace: "      { deadlineMs: deadlineMs -",
      },
    ],
    test: {
      file: requestsTest,
      name: "azure: each change asks for the caller's consent once, and without it nothing is sent",
      says: /Missing expected rejection: completeUpload/,
    },
  },
  {
    name: "azure-completion-with-two-deadlines",
    breaks: "F4: AzureStore completes an upload within one deadline.",
    edits: [
      {
        file: azureUploads,
        find: "{ ...options, deadlineMs: deadlineMs - (this.#clock.now() - called) }",
        replace: "{ ...options, deadlineMs: deadlineMs + 0 * called }",
      },
    ],
    test: {
      file: azureClientTest,
      name: "AzureStore completes an upload within one deadline, however long the look at it takes",
      says: /it ends \d+ ms late|Missing expected rejection/,
    },
  },
  {
    name: "azure-write-without-condition",
    breaks: "F2: AzureStore sends the condition with a write.",
    edits: [
      {
        file: azure,
        find: "      ...metadata,\n      ...conditionHeaders(condition),\n",
        replace: "      ...metadata,\n",
      },
    ],
    test: {
      file: requestsTest,
      name: "azure: each change carries its condition, and none where there is none",
      says: /write under the condition absent/,
    },
  },
  {
    name: "azure-removal-without-condition",
    breaks: "F2: AzureStore sends the condition with a removal.",
    edits: [
      { file: azure, find: "    const headers = conditionHeaders(condition);\n", replace: "    const headers = {};\n" },
    ],
    test: {
      file: requestsTest,
      name: "azure: each change carries its condition, and none where there is none",
      says: /remove under the condition absent/,
    },
  },
  {
    name: "azure-conflict-taken-for-refusal",
    breaks: "F8: AzureStore takes a refused condition for a conflict.",
    edits: [{ file: azureErrors, find: ' || (failure.code === "" && failure.status === 412);', replace: ";" }],
    test: {
      file: requestsTest,
      name: "azure: a condition that does not hold is a conflict, and a failure of the store is none",
      says: /PUT team\/k: the store refused it: HTTP 412/,
    },
  },
  {
    name: "azure-lease-taken-for-conflict",
    breaks: "AzureStore tells a lease that somebody holds from a condition that does not.",
    edits: [
      {
        file: azureErrors,
        find: 'return conflictCodes.has(failure.code) || (failure.code === "" && failure.status === 412)',
        replace: "return conflictCodes.has(failure.code) || failure.status === 412",
      },
    ],
    test: {
      file: azureAnswersTest,
      name: "that is answered with 412 LeaseIdMissing is refused: no other version would go better",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "azure-signature-outlasts-the-deadline",
    breaks: "F4: The signature of a change expires at its deadline.",
    edits: [
      { file: azureClient, find: "(isRead(request.method) ? readGraceSeconds : 0)", replace: "readGraceSeconds" },
    ],
    test: {
      file: azureClientTest,
      name: "AzureStore signs whatever changes something for no longer than its deadline: a late removal, too, must not take effect",
      says: /PUT \/acc\/photos\/k ends \d+ ms late/,
    },
  },
  {
    name: "azure-sends-after-the-deadline",
    breaks: "F4: AzureClient sends nothing once the deadline is over.",
    edits: [
      {
        file: azureClient,
        find: '    if (leftMs <= 0) throw new OperatingError("store_unavailable", "the request was not sent: its deadline had passed");\n',
        replace: "",
      },
    ],
    test: {
      file: azureClientTest,
      name: "AzureStore sends nothing when the caller withdraws at the last moment, or once its time is over",
      says: /\+\s+'\/acc\/photos\/k'/,
    },
  },
  {
    name: "azure-foreign-404-taken-for-missing",
    breaks: "F17: A 404 that is not the store's own says nothing of a blob.",
    edits: [
      {
        file: azureErrors,
        find: 'return status === 404 && (code === "BlobNotFound" || code === "ResourceNotFound");',
        replace: "return status === 404;",
      },
    ],
    test: {
      file: requestsTest,
      name: "azure: a 404 that is not the store's own says nothing of a blob",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "azure-part-of-another-blob-taken",
    breaks: "A part is of the blob with the tag that was asked for, and is that part.",
    edits: [
      { file: azureUploads, find: "if (readTag(answer) !== tag || isPart !== true)", replace: "if (isPart !== true)" },
    ],
    test: { file: azureAnswersTest, name: "of another version is not taken for it", says: /'found' !== 'changed'/ },
  },
  {
    name: "urgent-requests-wait",
    breaks: "F19: What a whole node waits for has connections of its own.",
    edits: [{ file: pools, find: "    if (isUrgent) return this.urgent;\n", replace: "" }],
    test: {
      file: poolsTest,
      name: "keep reads, writes and what is urgent apart",
      says: /-\s+Symbol\(connections\): 8/,
    },
  },
  {
    name: "writes-wait-behind-reads",
    breaks: "F19: Writes do not wait behind the reads of clients.",
    edits: [
      {
        file: pools,
        find: "return isRead(method) ? this.reads : this.writes;",
        replace: "return method === undefined ? this.writes : this.reads;",
      },
    ],
    test: {
      file: poolsTest,
      name: "keep reads, writes and what is urgent apart",
      says: /same structure but are not reference-equal/,
    },
  },
  {
    name: "time-learned-from-a-proxy",
    breaks: "F4: The time of an answer that is not the store's own is not the store's.",
    edits: [{ file: signed, find: "answer.status < 500 && answer.status !== 404", replace: "answer.status < 600" }],
    test: {
      file: foreignTest,
      name: "does not tell the store's time with 502: signatures would be valid for longer than their deadline",
      says: /signed at \d+T/,
    },
  },
  {
    name: "time-of-a-late-answer",
    breaks: "F4: The store's time is rather too low than too high.",
    edits: [{ file: time, find: "? lowOfHigh : Math.min(low, high));", replace: "? lowOfHigh : high);" }],
    test: {
      file: timeTest,
      name: "StoreTime, over many answers, comes close to the store's time and never passes it",
      says: /time\.at\(clock\.instant\) <= ahead/,
    },
  },
  {
    name: "hung-request-never-given-up",
    breaks: "A request is given up at its deadline.",
    edits: [
      {
        file: exchange,
        find: '      this.#fail("store_unavailable", lateStore(request.deadlineMs).message);\n',
        replace: "      lateStore(request.deadlineMs);\n",
      },
    ],
    test: {
      file: requestsTest,
      name: "s3: each request is given up at its deadline while the store says nothing",
      says: /got nothing/,
    },
  },
  {
    name: "body-in-shared-memory",
    breaks: "A body is in a buffer of its own.",
    edits: [
      {
        file: exchange,
        find: "length === 0 ? emptyBody : Buffer.allocUnsafeSlow(length)",
        replace: "length === 0 ? emptyBody : Buffer.allocUnsafe(length)",
      },
    ],
    test: {
      file: requestsTest,
      name: "s3: a read gives the blob with all that is known of it, and not its body if that is too long",
      says: /holds other memory alive/,
    },
  },
  {
    name: "cut-answer-taken-for-whole",
    breaks: "An answer that ends with its connection may have been cut.",
    edits: [
      {
        file: exchange,
        find: "      if (isEndless && succeeded && status !== 204)",
        replace: "      if (isEndless && succeeded && status === 204)",
      },
    ],
    test: {
      file: exchangeTest,
      name: "exchange does not take a body for whole that ends with its connection: it may have been cut",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "version-not-read",
    breaks: "A store gives the version that the object was written with.",
    edits: [
      {
        file: wire,
        find: "      version: version === undefined ? undefined : unescapeValue(version),",
        replace: "      version: undefined,",
      },
    ],
    test: {
      file: requestsTest,
      name: "s3: a read gives the blob with all that is known of it, and not its body if that is too long",
      says: /-\s+version: 'c\.k\.1\.1'/,
    },
  },
  {
    name: "upload-token-not-read",
    breaks: "L5: A store gives the token of the upload that wrote the object.",
    edits: [
      {
        file: wire,
        find: "      upload: upload === undefined ? undefined : unescapeValue(upload),",
        replace: "      upload: undefined,",
      },
    ],
    test: {
      file: requestsTest,
      name: "azure: a read gives the blob with all that is known of it, and not its body if that is too long",
      says: /-\s+upload: 'token'/,
    },
  },
  {
    name: "ignored-conditions-not-noticed",
    breaks: "The probe finds out that a store ignores conditions on writes.",
    edits: [
      {
        file: probe,
        find: '  const absentHonoured = second.kind === "conflict";',
        replace: "  const absentHonoured = second.kind !== undefined;",
      },
      {
        file: probe,
        find: '  const unchangedHonoured = granted && fourth.kind === "conflict";',
        replace: '  const unchangedHonoured = granted || fourth.kind === "conflict";',
      },
    ],
    test: {
      file: versioningTest,
      name: "is still sent tags in quotes, as the standard has them",
      says: /true !== false/,
    },
  },
  {
    name: "stale-reads-not-noticed",
    breaks: "The probe finds out that a store does not give back what was written last.",
    edits: [{ file: probe, find: '!seen.blob.body.equals(blob("5").body)', replace: "seen.blob.body.length === 0" }],
    test: {
      file: versioningTest,
      name: "a server that does not give back what was written last is refused",
      says: /Missing expected rejection/,
    },
  },
  {
    name: "latest-front-end-believed",
    breaks: "F4: Of front ends that tell different times the earliest counts.",
    edits: [{ file: time, find: "? lowOfHigh : Math.min(low, high));", replace: "? low : Math.min(low, high));" }],
    test: {
      file: timeTest,
      name: "StoreTime, with front ends that differ by more than a second, goes by the earliest and says so",
      says: /time\.at\(clock\.instant\) <= earliest/,
    },
  },
  {
    name: "old-time-believed",
    breaks: "F4: The time that was told long ago is asked for again.",
    edits: [{ file: time, find: "return now - this.#heardAt >= idleMs || ", replace: "return " }],
    test: {
      file: timeTest,
      name: "StoreTime that has heard nothing for a minute is idle until the next answer",
      says: /false !== true/,
    },
  },
];
