/**
 * One value of 1 GiB in and out of a node with a folder for a store, and the memory that this takes there: more than a
 * value that is streamed needs would be a value that is kept.
 */

import { Readable } from "node:stream";
import { request } from "undici";
import { systemClock } from "../../../src/system.ts";
import { BenchCluster, type Node } from "./cluster.ts";
import { median, type Row } from "./report.ts";
import { type Settings, scaled } from "./rounds.ts";

const mebibyte = 1024 ** 2;
const valueMebibytes = 1024;
/** What is sent again and again: random enough for nobody to pack it. */
const piece = Buffer.from(Uint8Array.from({ length: mebibyte }, (_, i) => (i * 2_654_435_761) >>> 13));
/** How often the node's memory is looked at, in milliseconds. */
const sampleMs = 10;
/** Resident memory that a value may take beyond an idle node's. */
const targetBytes = 64 * mebibyte;

export async function measureLargeValue(settings: Settings): Promise<Row[]> {
  const valueBytes = scaled(valueMebibytes, settings) * mebibyte;
  await using cluster = await BenchCluster.start({ nodes: { a: 1 }, replicas: 1 });
  const node = cluster.node("a");
  const url = `${node.url}/kv/large`;
  const puts: number[] = [];
  const gets: number[] = [];
  const idleBytes = node.process.residentBytes();
  let mostBytes = 0;
  for (let round = 0; round < settings.rounds; round++) {
    for (const [figures, transfer] of [
      [puts, put],
      [gets, get],
    ] as const) {
      const startedAt = systemClock.now();
      mostBytes = Math.max(mostBytes, await watched(node, () => transfer(url, valueBytes)));
      figures.push(valueBytes / mebibyte / ((systemClock.now() - startedAt) / 1_000));
    }
  }
  const above = (mostBytes - idleBytes) / mebibyte;
  return [
    {
      what: "memory of a node while a value of 1 GiB goes in and out, above the idle node",
      weir: `${Math.round(mostBytes / mebibyte)} MiB`,
      against: `idle: ${Math.round(idleBytes / mebibyte)} MiB`,
      figure: above,
      digits: 0,
      unit: " MiB",
      target: { most: targetBytes / mebibyte },
    },
    rateRow("PUT of 1 GiB to a folder", puts),
    rateRow("GET of 1 GiB from a folder", gets),
  ];
}

function rateRow(what: string, figures: readonly number[]): Row {
  const figure = median(figures);
  return { what, weir: `${Math.round(figure)} MiB/s`, against: "", figure, digits: 0, unit: " MiB/s" };
}

/** The most memory that the node had meanwhile. */
async function watched(node: Node, work: () => Promise<void>): Promise<number> {
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, node.process.residentBytes());
  }, sampleMs);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return most;
}

async function put(url: string, valueBytes: number): Promise<void> {
  const { statusCode, body } = await request(url, {
    method: "PUT",
    headers: { "content-length": String(valueBytes) },
    body: Readable.from(pieces(valueBytes)),
  });
  if (statusCode !== 204) throw new Error(`PUT answered ${statusCode}: ${await body.text()}`);
  await body.dump();
}

async function* pieces(valueBytes: number): AsyncGenerator<Buffer, void, void> {
  for (let sent = 0; sent < valueBytes; sent += piece.length) yield piece;
}

async function get(url: string, valueBytes: number): Promise<void> {
  const { statusCode, body } = await request(url);
  let received = 0;
  for await (const chunk of body) received += (chunk as Buffer).length;
  if (statusCode !== 200 || received !== valueBytes) throw new Error(`GET gave ${statusCode} and ${received} bytes`);
}
