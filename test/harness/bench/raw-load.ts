/**
 * A load generator for two protocols that costs the same in both: connections of plain sockets, each of which sends the
 * bytes of a request that was put together before, waits for the whole answer, and goes on. wrk speaks no RESP, and
 * redis-benchmark can't send SET and WAIT as one unit, so a comparison with Redis takes this for both sides. A process
 * of its own: it gets a plan by message and sends back what it measured.
 */

import { fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { median } from "./report.ts";

export interface RawPlan {
  /** `http`: PUT of `/kv/KEY`, or GET. `redis`: SET, then WAIT for one replica, sent as one. */
  readonly protocol: "http" | "redis";
  /** Of HTTP. A GET's value has `bytes`. PUT unless told. */
  readonly method?: "PUT" | "GET";
  readonly ports: readonly number[];
  /** In all; they take turns among the ports. */
  readonly connections: number;
  readonly keys: readonly string[];
  readonly bytes: number;
  /** How long keys are taken at random; undefined: each key once, in order. */
  readonly seconds?: number;
}

export interface RawResult {
  readonly requests: number;
  readonly perSecond: number;
  /** Of a core, that the generator used: near 1 it, not the servers, was the limit. */
  readonly generatorLoad: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}

/** More than an answer has. */
const answerBytes = 4_096;

/** Runs the plan in a process of its own. */
export async function runRaw(plan: RawPlan): Promise<RawResult> {
  const child = fork(import.meta.filename, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const kill = (): boolean => child.kill("SIGKILL");
  process.once("exit", kill);
  try {
    child.send(plan);
    const [answer] = (await Promise.race([once(child, "message"), once(child, "exit")])) as [RawResult | number];
    if (typeof answer === "object" && answer !== null) return answer;
    throw new Error("the load generator failed");
  } finally {
    process.off("exit", kill);
    kill();
  }
}

interface Protocol {
  request(key: string, value: Buffer): Buffer;
  /** Whether the bytes of the answer are all there; throws when it is not the one that was asked for. */
  isWhole(answer: string): boolean;
}

const protocols: Readonly<Record<RawPlan["protocol"] | "get", Protocol>> = {
  get: {
    request: (key) => Buffer.from(`GET /kv/${key} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`),
    isWhole(answer) {
      if (!answer.startsWith("HTTP/1.1 200")) throw new Error(`a GET was answered ${answer}`);
      const head = answer.indexOf("\r\n\r\n");
      const length = /\r\ncontent-length: (\d+)\r\n/i.exec(answer)?.[1];
      return head !== -1 && answer.length === head + 4 + Number(length);
    },
  },
  http: {
    request: (key, value) =>
      Buffer.concat([
        Buffer.from(`PUT /kv/${key} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${value.length}\r\n\r\n`),
        value,
      ]),
    isWhole(answer) {
      if (!answer.startsWith("HTTP/1.1 204")) throw new Error(`a PUT was answered ${answer}`);
      return answer.endsWith("\r\n\r\n");
    },
  },
  redis: {
    request: (key, value) =>
      Buffer.concat([
        Buffer.from(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n`),
        value,
        Buffer.from("\r\n*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n"),
      ]),
    isWhole(answer) {
      const whole = "+OK\r\n:1\r\n";
      if (!whole.startsWith(answer)) throw new Error(`SET and WAIT were answered ${answer}`);
      return answer.length === whole.length;
    },
  },
};

async function generate(plan: RawPlan): Promise<RawResult> {
  const protocol = protocols[plan.method === "GET" ? "get" : plan.protocol];
  const value = Buffer.alloc(plan.bytes, "x");
  // All alike, and made now: what they cost must not be part of what is measured. Each of many once would take too much
  // memory.
  const prepared = plan.seconds === undefined ? undefined : plan.keys.map((key) => protocol.request(key, value));
  const inOrder = plan.keys.values();
  const next = (): Buffer | undefined => {
    if (prepared !== undefined) return prepared[Math.floor(Math.random() * prepared.length)];
    const { value: key } = inOrder.next();
    return key === undefined ? undefined : protocol.request(key, value);
  };
  const cpu = process.cpuUsage();
  const start = performance.now();
  const end = start + (plan.seconds ?? Number.POSITIVE_INFINITY) * 1_000;
  const micros: number[] = [];
  const connection = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      let answer = "";
      let sentAt = 0;
      const send = (): void => {
        // Each sends one, however long it took to connect.
        const bytes = sentAt === 0 || performance.now() < end ? next() : undefined;
        if (bytes === undefined) {
          socket.destroy();
          resolve();
          return;
        }
        sentAt = performance.now();
        socket.write(bytes);
      };
      const socket = connect({
        host: "127.0.0.1",
        port,
        noDelay: true,
        onread: {
          buffer: Buffer.allocUnsafeSlow(answerBytes),
          callback(length, buffer) {
            answer += (buffer as Buffer).toString("latin1", 0, length);
            if (!protocol.isWhole(answer)) return true;
            answer = "";
            micros.push((performance.now() - sentAt) * 1_000);
            send();
            return true;
          },
        },
      });
      socket.once("connect", send).once("error", reject);
      socket.once("end", () => reject(new Error("the server ended the connection")));
    });
  const { ports } = plan;
  await Promise.all(Array.from({ length: plan.connections }, (_, i) => connection(ports[i % ports.length] as number)));
  const elapsedMicros = (performance.now() - start) * 1_000;
  const used = process.cpuUsage(cpu);
  micros.sort((a, b) => a - b);
  return {
    requests: micros.length,
    perSecond: micros.length / (elapsedMicros / 1_000_000),
    generatorLoad: (used.user + used.system) / elapsedMicros,
    p50Micros: median(micros),
    p99Micros: micros[Math.floor(micros.length * 0.99)] as number,
  };
}

if (import.meta.main) {
  process.once("message", (plan: RawPlan) => {
    void generate(plan).then((result) => process.send?.(result, () => process.exit(0)));
  });
  process.once("disconnect", () => process.exit(1));
}
