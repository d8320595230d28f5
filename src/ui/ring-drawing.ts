/**
 * The ring, drawn as two bands. The outer band is the ring itself: which node is the primary at each half degree. The
 * inner band has one piece for each node: its share of the whole.
 */

import { formatShare } from "../base/quantity-text.ts";
import { circle, Ring } from "../core/ring.ts";
import type { ClusterStatus, MemberStatus } from "../core/status.ts";
import { colourAt } from "./colours.ts";
import { html, type Markup } from "./markup.ts";

/** Places at which the ring is looked at. Narrower arcs than these can't be seen. */
const places = 720;

const outerRadius = 94;
const innerRadius = 70;

export class RingDrawing {
  /**
   * The arcs, and the members they were made from. A ring takes milliseconds to build, and stays the same for the whole
   * view.
   */
  #members = "";
  #arcs = new Map<string, string>();

  draw({ members, replicas, epoch }: ClusterStatus): Markup {
    const arcs = this.#arcsOf(members, replicas);
    let from = 0;
    const shares = members.map(({ id, share }, index) => {
      const to = from + share;
      const path = arc(innerRadius, from, to);
      from = to;
      return html`<path class="share" d="${path}" stroke="${colourAt(index)}"><title>${id}: primary of ${formatShare(share)} of the keys</title></path>`;
    });
    const bands = members.map(
      ({ id }, index) =>
        html`<path class="band" d="${arcs.get(id) ?? ""}" stroke="${colourAt(index)}"><title>${id}</title></path>`,
    );
    const count = members.length === 1 ? "1 node" : `${members.length} nodes`;
    return html`<svg class="ring" viewBox="-105 -105 210 210" role="img" aria-label="The ring: ${members.map(({ id, share }) => `${id} ${formatShare(share)}`).join(", ")}">
${bands}${shares}
<text y="-4" class="count">${count}</text><text y="14" class="sub">view ${epoch}, R = ${replicas}</text></svg>`;
  }

  /** For each node, the arcs whose primary it is, as one path. */
  #arcsOf(members: readonly MemberStatus[], replicas: number): ReadonlyMap<string, string> {
    const described = JSON.stringify([replicas, members.map(({ id, weight, zone }) => [id, weight, zone])]);
    if (described === this.#members) return this.#arcs;
    const ring = new Ring(members, Math.max(1, replicas));
    const owners = Array.from(
      { length: places },
      (_, place) => ring.ownersAt(Math.floor((place / places) * circle))[0],
    );
    this.#arcs = new Map();
    let from = 0;
    for (let place = 1; place <= places; place++) {
      const owner = owners[from];
      if (place < places && owners[place] === owner) continue;
      if (owner !== undefined) {
        this.#arcs.set(owner, (this.#arcs.get(owner) ?? "") + arc(outerRadius, from / places, place / places));
      }
      from = place;
    }
    this.#members = described;
    return this.#arcs;
  }
}

/** The path of an arc clockwise around the origin. `from` and `to` are parts of the circle, 0 at the top. */
function arc(radius: number, from: number, to: number): string {
  if (to <= from) return "";
  // One arc can't go all the way round: its ends would be the same.
  if (to - from > 0.5) return arc(radius, from, from + 0.5) + arc(radius, from + 0.5, to);
  return `M${point(radius, from)}A${radius} ${radius} 0 0 1 ${point(radius, to)}`;
}

function point(radius: number, part: number): string {
  const angle = 2 * Math.PI * part;
  return `${(radius * Math.sin(angle)).toFixed(1)} ${(-radius * Math.cos(angle)).toFixed(1)}`;
}
