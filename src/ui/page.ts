/**
 * The dashboard as one page of HTML. It shows one moment, and is complete without its script, which only keeps it
 * fresh.
 */

import type { Instant } from "../base/clock.ts";
import { formatBytes, formatDuration, formatShare } from "../base/quantity-text.ts";
import { s3Words } from "../core/s3-words.ts";
import type { ClusterStatus, MemberStatus } from "../core/status.ts";
import { alikeToStop } from "../core/stop-advice.ts";
import { troublesOf } from "../core/troubles.ts";
import { type ChartKind, drawChart } from "./chart.ts";
import { colourAt } from "./colours.ts";
import type { Change, Sample } from "./history.ts";
import { html, Markup } from "./markup.ts";
import { pageScript } from "./page-script.ts";
import { pageStyle } from "./page-style.ts";

export interface PageContent {
  readonly status: ClusterStatus;
  /** The release that runs. */
  readonly version: string;
  readonly ring: Markup;
  readonly samples: readonly Sample[];
  readonly changes: readonly Change[];
  readonly now: Instant;
}

const minute = 60_000;
const byteScale = Array.from({ length: 28 }, (_, power) => 4_096 * 2 ** power);
const ageScale = [1, 2, 5, 10, 30].map((seconds) => seconds * 1_000);
const longAgeScale = [1, 2, 6, 10, 30, 60, 120, 300, 600, 1_440, 2_880, 7_200, 14_400].map(
  (minutes) => minutes * minute,
);

const dirtyChart: ChartKind = {
  title: "Held, and not in the store yet",
  figure: ({ dirtyBytes }) => dirtyBytes,
  format: formatBytes,
  scale: byteScale,
};
const lagChart: ChartKind = {
  title: "Age of the oldest value that is not in the store yet",
  figure: ({ oldestDirtyMs }) => oldestDirtyMs,
  format: formatDuration,
  scale: [...ageScale, ...longAgeScale],
};

export function renderPage({ status, version, ring, samples, changes, now }: PageContent): string {
  const { cluster, store, self, epoch, settled, members } = status;
  const ids = members.map(({ id }) => id);
  const troubles = troublesOf(status);
  const state = troubles.length === 0 ? "well" : `${troubles.length} to look at`;
  const { text } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${cluster}: ${state} - weir</title>
<link rel="icon" href="data:,">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<style>${new Markup(pageStyle)}</style>
</head>
<body>
<p id="stale" role="alert" hidden></p>
<main>
<header><h1>${cluster}</h1><p>over ${store}, as ${self} sees it: view ${epoch}, ${settled ? "settled" : "changing"}</p></header>
${troubleSection(troubles)}
${members.length === 0 ? undefined : [nodeSection(status, ring), stopSection(status)]}
<section>${drawChart(dirtyChart, samples, ids, now)}</section>
<section>${drawChart(lagChart, samples, ids, now)}</section>
${s3Section(status)}
${changeSection(changes)}
<footer>weir ${version}. Each node shows what it sees itself; the last minutes are since it was started.</footer>
</main>
<script>${new Markup(pageScript)}</script>
</body>
</html>
`;
  return text;
}

function troubleSection(troubles: readonly string[]): Markup {
  if (troubles.length === 0) {
    return html`<section class="wide"><p class="well">All is well: every node is reached, and the store takes what it is sent.</p></section>`;
  }
  return html`<section class="wide troubles" role="status"><h2>What is wrong</h2><ul>${troubles.map((text) => html`<li>${text}</li>`)}</ul></section>`;
}

function nodeSection({ members }: ClusterStatus, ring: Markup): Markup {
  return html`<section class="wide nodes">${ring}<div class="scroll"><table>
<thead><tr><th>Node</th><th>State</th><th class="figure">Share</th><th class="figure">Not stored</th><th class="figure">Keys</th><th class="figure">Oldest</th><th class="figure">Failing</th><th class="figure">Cache</th><th>Zone</th></tr></thead>
<tbody>${members.map(nodeRow)}</tbody></table></div></section>`;
}

function nodeRow(member: MemberStatus, index: number): Markup {
  const { id, url, state, share, dirtyBytes, dirtyKeys, oldestDirtyMs, failingKeys, cacheBytes, zone } = member;
  const name = /^https?:\/\//.test(url) ? html`<a href="${url}" rel="noreferrer">${id}</a>` : id;
  const figures = [
    formatShare(share),
    formatBytes(dirtyBytes),
    dirtyKeys,
    oldestDirtyMs === 0 ? "-" : formatDuration(oldestDirtyMs),
    failingKeys,
    formatBytes(cacheBytes),
  ];
  return html`<tr><td><svg class="dot" viewBox="0 0 10 10"><circle cx="5" cy="5" r="5" fill="${colourAt(index)}"/></svg>${name}</td><td class="${state}">${state}</td>${figures.map((figure) => html`<td class="figure">${figure}</td>`)}<td>${zone ?? "-"}</td></tr>
`;
}

/** May I stop it? Nodes with the same answer are shown together. */
function stopSection({ members }: ClusterStatus): Markup {
  const items = alikeToStop(members).map(([{ verdict, inOrder, killed }, alike]) => {
    const ids = alike.map(({ id }) => id).join(", ");
    return html`<dt>${ids}: <span class="${verdict}">${verdict}</span></dt><dd>${inOrder}<br>If it is killed: ${killed}</dd>`;
  });
  return html`<section class="wide"><h2>May I stop it? In order, and one at a time</h2><dl>${items}</dl></section>`;
}

/** How S3 clients use this node. */
function s3Section(status: ClusterStatus): Markup | undefined {
  const words = s3Words(status);
  return words === undefined ? undefined : html`<section class="wide"><h2>S3 clients</h2><p>${words}</p></section>`;
}

function changeSection(changes: readonly Change[]): Markup {
  const items = changes.map(({ wallMs, text }) => {
    const iso = new Date(wallMs).toISOString();
    return html`<li><time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>${text}</li>`;
  });
  const content = changes.length === 0 ? html`<p>Nothing since this node was started.</p>` : html`<ol>${items}</ol>`;
  return html`<section class="wide"><h2>What has changed</h2>${content}</section>`;
}
