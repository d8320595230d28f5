/**
 * One attack of greedy callers on a cluster, in a thread of its own: until it is told to end, it holds or uses as much
 * as it can get of one thing. `attacks.ts` measures what others notice of it.
 */

import { connect, type Socket } from "node:net";
import { constants, setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { HttpClient } from "../http-client.ts";

export const attackNames = [
  "nothing",
  "parsing",
  "announced bodies",
  "unread downloads",
  "trickled uploads",
  "uploads given up",
  "refused keys",
  "connections",
  "listings",
] as const;
export type AttackName = (typeof attackNames)[number];

export interface Attack {
  readonly name: AttackName;
  readonly urls: readonly string[];
  /** Of several greedy callers. */
  readonly tokens: readonly string[];
  /** Keys that begin with this are refused by the store. */
  readonly refusedPrefix: string;
}

const kibibyte = 1_024;
const mebibyte = 1_024 * kibibyte;
const largeBytes = 16 * mebibyte;
const pauseMs = 20;

class Attacker {
  readonly #attack: Attack;
  readonly #http = new HttpClient();
  readonly #sockets = new Set<Socket>();
  #count = 0;

  constructor(attack: Attack) {
    this.#attack = attack;
  }

  async run(): Promise<void> {
    const { name } = this.#attack;
    switch (name) {
      case "nothing":
        return;
      case "parsing":
        return this.#loop(4, (url, token) => this.#ask(url, token, "POST", "/put/", nested));
      case "announced bodies":
        return this.#hold(64, (token) => head("PUT", "/kv/greedy/a", token, mebibyte));
      case "unread downloads":
        await this.#ask(this.#url(0), this.#token(0), "PUT", "/kv/greedy/large", Buffer.alloc(largeBytes, "x"));
        return this.#hold(100, (token) => head("GET", "/kv/greedy/large", token, 0), true);
      case "trickled uploads":
        return this.#hold(32, (token) => `${head("PUT", "/kv/greedy/slow", token, largeBytes)}${"x".repeat(kibibyte)}`);
      case "uploads given up":
        return this.#loop(6, async (url, token) => {
          const socket = this.#open(url);
          socket.write(head("PUT", `/kv/greedy/${this.#count++ % 50}`, token, largeBytes));
          for (let mib = 0; mib < 6 && !socket.destroyed; mib++) {
            socket.write(Buffer.alloc(mebibyte, "x"));
            await sleep(pauseMs);
          }
          socket.resetAndDestroy();
        });
      case "refused keys": {
        const value = Buffer.alloc(64 * kibibyte, "x");
        const { refusedPrefix } = this.#attack;
        return this.#loop(16, async (url, token) => {
          const status = await this.#ask(url, token, "PUT", `/kv/${refusedPrefix}${this.#count++}`, value);
          if (status !== 204) await sleep(pauseMs);
        });
      }
      case "connections":
        for (let address = 1; address <= 200; address++)
          for (const url of this.#attack.urls)
            for (let each = 0; each < 5; each++) this.#open(url, `127.0.1.${address}`);
        return;
      case "listings":
        return this.#loop(60, async (url, token) => {
          if ((await this.#ask(url, token, "GET", "/kv/?limit=1000")) !== 200) await sleep(pauseMs);
        });
    }
  }

  /** So many at a time do it again and again, at each node and by each caller in turn. */
  #loop(atOnce: number, deed: (url: string, token: string) => Promise<unknown>): void {
    for (let index = 0; index < atOnce; index++) {
      const again = async (): Promise<never> => {
        for (let turn = index; ; turn++) {
          await deed(this.#url(turn), this.#token(turn + index)).catch(() => sleep(pauseMs));
        }
      };
      void again();
    }
  }

  /** So many connections to each node, each with this on it; one that is closed is opened anew. */
  #hold(each: number, data: (token: string) => string, isUnread = false): void {
    for (const url of this.#attack.urls) {
      for (let index = 0; index < each; index++) {
        const begin = (): void => {
          const socket = this.#open(url);
          socket.write(data(this.#token(index)));
          if (isUnread) socket.pause();
          else socket.resume();
          socket.once("close", () => setTimeout(begin, 10 * pauseMs));
        };
        begin();
      }
    }
  }

  #open(url: string, localAddress?: string): Socket {
    const { hostname: host, port } = new URL(url);
    const socket = connect({ host, port: Number(port), ...(localAddress !== undefined && { localAddress }) });
    socket.on("error", () => undefined);
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }

  async #ask(
    url: string,
    token: string,
    method: "GET" | "PUT" | "POST",
    path: string,
    body?: Buffer | string,
  ): Promise<number> {
    const headers = { authorization: `Bearer ${token}` };
    return (await this.#http.request(url, method, path, { headers, ...(body !== undefined && { body }) })).status;
  }

  #url(index: number): string {
    return this.#attack.urls[index % this.#attack.urls.length] as string;
  }

  #token(index: number): string {
    return this.#attack.tokens[index % this.#attack.tokens.length] as string;
  }
}

/** A body of the old API that takes long to parse, for whoever parses it. */
const nested = `{"key":"greedy/n","extension":"","data":"","more":${"[".repeat(400_000)}${"]".repeat(400_000)}}`;

function head(method: string, path: string, token: string, length: number): string {
  const body = length === 0 ? "" : `Content-Length: ${length}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n${body}\r\n`;
}

if (parentPort !== null) {
  // This thread's. An attacker elsewhere would take no processor from the nodes.
  setPriority(0, constants.priority.PRIORITY_LOW);
  void new Attacker(workerData as Attack).run();
}
