/** A figure of each node over the last minutes, as lines. */

import type { Instant } from "../base/clock.ts";
import { colourAt } from "./colours.ts";
import { type MemberSample, maxSamples, type Sample, sampleMs } from "./history.ts";
import { html, type Markup } from "./markup.ts";

const width = 600;
const height = 150;
/** Room for the labels above the scale's lines and below the time's lines. */
const top = 14;
const bottom = 18;

const spanMs = maxSamples * sampleMs;
/** A wider gap than this between two looks is left open: the host was suspended. */
const maxGapMs = 2.5 * sampleMs;

export interface ChartKind {
  readonly title: string;
  readonly figure: (sample: MemberSample) => number;
  readonly format: (value: number) => string;
  /** The values that the scale may end with, ascending. Beyond the last it ends with the largest figure. */
  readonly scale: readonly number[];
}

/** @param ids - the nodes' ids, in the order of their colours */
export function drawChart(kind: ChartKind, samples: readonly Sample[], ids: readonly string[], now: Instant): Markup {
  const { title, figure, format, scale } = kind;
  const most = Math.max(0, ...samples.flatMap(({ members }) => [...members.values()].map(figure)));
  const end = scale.find((each) => each >= most) ?? most;
  const x = (at: Instant): string => (width * (1 - (now - at) / spanMs)).toFixed(1);
  const y = (value: number): string => (top + (height - top) * (1 - value / end)).toFixed(1);
  const lines = ids.map((id, index) => {
    let path = "";
    let last: Instant | undefined;
    for (const { at, members } of samples) {
      const sample = members.get(id);
      if (!sample || now - at > spanMs) {
        last = undefined;
        continue;
      }
      path += `${last === undefined || at - last > maxGapMs ? "M" : "L"}${x(at)} ${y(figure(sample))}`;
      last = at;
    }
    return html`<path class="line" d="${path}" stroke="${colourAt(index)}"><title>${id}</title></path>`;
  });
  const levels = [end, end / 2].map(
    (level) =>
      html`<path class="grid" d="M0 ${y(level)}H${width}"/><text y="${Number(y(level)) - 3}">${format(level)}</text>`,
  );
  const minutes = Math.round(spanMs / 60_000);
  const times = Array.from({ length: minutes }, (_, index) => {
    const place = x(now - (minutes - index) * 60_000);
    const label = `${minutes - index} min ago`;
    return html`<path class="grid" d="M${place} ${top}V${height}"/><text x="${Number(place) + 3}" y="${height + 13}">${label}</text>`;
  });
  return html`<figure><figcaption>${title}</figcaption><svg class="chart" viewBox="0 0 ${width} ${height + bottom}" role="img" aria-label="${title}">
${levels}${times}<path class="axis" d="M0 ${height}H${width}"/>${lines}</svg></figure>`;
}
