/** Hexadecimal digits, as hashes are written. */

/** 1 for the code of each lower-case digit. */
const isDigit = Uint8Array.from({ length: 0x80 }, (_, code) => Number(/[0-9a-f]/.test(String.fromCharCode(code))));

/**
 * Whether the text is so many bytes in lower-case hexadecimal digits. A pattern takes three times as long: a processor
 * cannot predict which digit of a hash is a letter. So this looks at all of them, without a branch.
 */
export function isHex(text: string, bytes: 16 | 32): boolean {
  if (text.length !== 2 * bytes) return false;
  let all = 1;
  // Other characters have no entry, which counts as 0.
  for (let i = 0; i < text.length; i++) all &= isDigit[text.charCodeAt(i)] as number;
  return all === 1;
}
