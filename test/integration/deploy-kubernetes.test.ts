/**
 * kubernetes.yaml: valid down to the last field, consistent in itself and with the image, and safe to update, drain and
 * scale.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { IStatefulSet } from "kubernetes-models/apps/v1/StatefulSet";
import type { INetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import type { IPodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import type { IConfigMap } from "kubernetes-models/v1/ConfigMap";
import type { IService } from "kubernetes-models/v1/Service";
import { parseAllDocuments } from "yaml";
import { urlHost, urlPort } from "../../src/config/node-url.ts";
import { commandMistake, loadDeployed, projectFile, projectVersion, root, stopBoundMs } from "../harness/deployment.ts";

interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

const resources = parseAllDocuments(projectFile("deploy/kubernetes.yaml")).map(
  (document) => document.toJS() as Resource,
);

function resource<Kind>(kind: string, name = "weir"): Kind {
  const found = resources.find((each) => each.kind === kind && each.metadata.name === name);
  assert.ok(found, `there is ${kind} ${name}`);
  return found as Kind;
}

const set = resource<IStatefulSet>("StatefulSet").spec;
const pod = set?.template?.spec;
const container = pod?.containers[0];
const clusterJson = resource<IConfigMap>("ConfigMap").data?.["cluster.json"] ?? "";
const { config, secretPaths } = loadDeployed(clusterJson);

/** In the project, whose packages the compiler finds from there. */
const folder = mkdtempSync(join(root, "node_modules", ".weir-kubernetes-"));
after(() => rmSync(folder, { recursive: true }));

test("every resource has the fields that Kubernetes requires, in the right form", async () => {
  assert.ok(resources.length >= 7);
  for (const each of resources) {
    const group = each.apiVersion === "v1" ? "v1" : each.apiVersion;
    const module = (await import(`kubernetes-models/${group}/${each.kind}`)) as Record<
      string,
      new (
        data: unknown,
      ) => { validate(): void }
    >;
    const Model = module[each.kind];
    assert.ok(Model);
    new Model(each).validate();
  }
});

test("no resource has a field that Kubernetes does not know, which it would pass over", () => {
  const compile = (text: string): string => {
    const imports = resources.map(
      ({ apiVersion, kind }) => `import type { I${kind} } from "kubernetes-models/${apiVersion}/${kind}";`,
    );
    writeFileSync(join(folder, "resources.ts"), `${[...new Set(imports)].join("\n")}\n${text}\n`);
    const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--ignoreConfig"];
    return spawnSync(join(root, "node_modules", ".bin", "tsc"), [...options, "resources.ts"], {
      cwd: folder,
      encoding: "utf8",
    }).stdout;
  };
  const checked = resources.map((each, index) => `export const r${index}: I${each.kind} = ${JSON.stringify(each)};`);
  assert.equal(compile(checked.join("\n")), "");
  const misspelt = JSON.stringify(resource("StatefulSet")).replace("readinessProbe", "readynessProbe");
  assert.match(compile(`export const r: IStatefulSet = ${misspelt};`), /readynessProbe/);
});

test("each node of the configuration is a pod by its name, which its url's host is too, and WEIR_NODE says so", () => {
  const headless = resource<IService>("Service", set?.serviceName ?? "");
  assert.equal(headless.spec?.clusterIP, "None");
  // A node is called by the others before it is ready: by way of them it gets ready.
  assert.equal(headless.spec?.publishNotReadyAddresses, true);
  assert.equal(config.nodes.length, set?.replicas);
  const port = container?.ports?.[0]?.containerPort;
  for (const [ordinal, { id, url }] of config.nodes.entries()) {
    assert.equal(id, `weir-${ordinal}`);
    assert.equal(urlHost(url), `${id}.${set?.serviceName}`);
    assert.equal(urlPort(url), port);
  }
  assert.deepEqual(container?.env, [{ name: "WEIR_NODE", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }]);
});

test("the selectors of services, budget, policy and set all mean the pods", () => {
  const labels = set?.template?.metadata?.labels;
  assert.ok(labels && Object.keys(labels).length > 0);
  assert.deepEqual(set?.selector.matchLabels, labels);
  assert.deepEqual(resource<IService>("Service").spec?.selector, labels);
  assert.deepEqual(resource<IService>("Service", "weir-nodes").spec?.selector, labels);
  assert.deepEqual(resource<IPodDisruptionBudget>("PodDisruptionBudget").spec?.selector?.matchLabels, labels);
  assert.deepEqual(resource<INetworkPolicy>("NetworkPolicy").spec?.podSelector?.matchLabels, labels);
  for (const spread of pod?.topologySpreadConstraints ?? [])
    assert.deepEqual(spread.labelSelector?.matchLabels, labels);
});

test("the container's command, image, files and folders exist and agree with the configuration", () => {
  assert.equal(commandMistake(container?.args ?? []), undefined);
  assert.equal(container?.image, `weir:${projectVersion}`);
  const mounts = new Map(container?.volumeMounts?.map(({ name, mountPath }) => [name, mountPath]));
  const configPath = container?.args?.at(-1);
  assert.equal(configPath, `${mounts.get("config")}/cluster.json`);
  assert.equal(mounts.get("data"), config.data);
  for (const path of secretPaths) assert.ok(path.startsWith(`${mounts.get("secrets")}/`));
  const given = [
    ...(pod?.volumes ?? []).map(({ name }) => name),
    ...(set?.volumeClaimTemplates ?? []).map((each) => each.metadata?.name),
  ];
  assert.deepEqual(new Set(given), new Set(mounts.keys()));
  // Made by the command at the top of the file, never a value that is in it.
  const { secretName } = pod?.volumes?.find(({ name }) => name === "secrets")?.secret ?? {};
  for (const path of secretPaths) {
    const key = path.split("/").at(-1);
    assert.match(
      projectFile("deploy/kubernetes.yaml"),
      new RegExp(`create secret generic ${secretName} --from-literal=${key}=`),
    );
  }
});

test("after a loss of power all nodes start at once, and an update takes one at a time", () => {
  // With the default the first would have to be ready before the second is started, for which it needs that one.
  assert.equal(set?.podManagementPolicy, "Parallel");
  assert.equal(set?.updateStrategy?.type, "RollingUpdate");
  assert.equal(resource<IPodDisruptionBudget>("PodDisruptionBudget").spec?.maxUnavailable, 1);
  // The hand-off is done, and keys that changed owners are flushed, before the next one goes.
  assert.ok((set?.minReadySeconds ?? 0) * 1_000 > config.flush.deadlineMs);
});

test("a node has the time to leave, and is restarted only for not answering at all", () => {
  assert.ok((pod?.terminationGracePeriodSeconds ?? 0) * 1_000 >= stopBoundMs(config) + 10_000);
  assert.equal(container?.livenessProbe?.httpGet?.path, "/healthz");
  assert.equal(container?.startupProbe?.httpGet?.path, "/healthz");
  const { httpGet, periodSeconds = 10, failureThreshold = 3 } = container?.readinessProbe ?? {};
  assert.equal(httpGet?.path, "/readyz");
  // That it is going to stop is seen while it still serves.
  assert.ok(periodSeconds * failureThreshold * 1_000 < config.http.drainMs);
});

test("the pod keeps to the restricted standard, as the image's own user", () => {
  const user = Number(/^USER (\d+):/m.exec(projectFile("Dockerfile"))?.[1]);
  assert.deepEqual(pod?.securityContext, {
    runAsNonRoot: true,
    runAsUser: user,
    runAsGroup: user,
    fsGroup: user,
    fsGroupChangePolicy: "OnRootMismatch",
    seccompProfile: { type: "RuntimeDefault" },
  });
  assert.deepEqual(container?.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
});

test("the volume holds the journal of a buffer as large as the memory makes it", () => {
  const gibibytes = (quantity: unknown): number => Number(/^(\d+)Gi$/.exec(String(quantity))?.[1]);
  const memory = gibibytes(container?.resources?.limits?.["memory"]);
  const storage = gibibytes(set?.volumeClaimTemplates?.[0]?.spec?.resources?.requests?.["storage"]);
  // Twice a quarter of the memory, and the segments that are open.
  assert.ok(storage >= (2 * memory) / 4 + 1);
});
