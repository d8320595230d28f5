/**
 * A colour for each node. Most eyes can tell them apart, on white and on black, for as many nodes as a small cluster
 * has.
 */

/** After Paul Tol's "bright" and "vibrant" schemes, which are made for colour-blind readers, too. */
const palette = ["#4477aa", "#ee7733", "#228833", "#aa3377", "#33bbee", "#ccbb44", "#cc3311", "#009988"] as const;

/** Degrees between the hues of two nodes beyond the palette: the golden angle, which puts no two close together. */
const goldenAngle = 137.5;

/** The colour of the node at this place among the members, from 0. */
export function colourAt(index: number): string {
  return palette[index] ?? `hsl(${Math.round((index * goldenAngle) % 360)} 55% 50%)`;
}
