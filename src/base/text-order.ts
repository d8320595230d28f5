/**
 * The order of texts by the bytes of their UTF-8: stores list their names in this order. JavaScript's own order is that
 * of UTF-16, which puts the characters beyond U+FFFF before those from U+E000 on.
 */

/**
 * Negative when `a` comes before `b`, positive when it comes after, 0 when they are equal. Both must be well-formed.
 */
export function compareText(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rankOf(x) - rankOf(y);
  }
  return a.length - b.length;
}

/**
 * Halves of surrogate pairs come last. Such a character takes four bytes in UTF-8, and its first byte is greater than
 * that of any other character.
 */
function rankOf(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit;
}
