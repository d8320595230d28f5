/** Hexadecimal digits, as hashes are written. */

/** Room for the bytes of the longest one. */
const decoded = Buffer.alloc(32);

/**
 * Whether the text is so many bytes in lower-case hexadecimal digits. A pattern takes twice to four times as long: a
 * processor cannot predict which digit of a hash is a letter.
 */
export function isHex(text: string, bytes: 16 | 32): boolean {
  return text.length === 2 * bytes && decoded.write(text, "hex") === bytes && text === text.toLowerCase();
}
