const LONE_SURROGATE = /\p{Surrogate}/gu;

/** False for text with half a character in it, which no UTF-8 file or database can keep. */
export function isWellFormed(text: string): boolean {
  return text.search(LONE_SURROGATE) === -1;
}

/** `text` with every half character replaced, as `String.prototype.toWellFormed` does. */
export function wellFormed(text: string): string {
  return text.replace(LONE_SURROGATE, '\ufffd');
}

/** `text` cut to at most `maxBytes` of UTF-8 between characters; what was cut ends in `mark`. */
export function cutBytes(text: string, maxBytes: number, mark = '…'): string {
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let end = Math.max(0, maxBytes - Buffer.byteLength(mark));
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end) + mark;
}

/** `text` cut to at most `maxChars` UTF-16 units, never through a surrogate pair; what was cut ends in `mark`. */
export function cutChars(text: string, maxChars: number, mark = '…'): string {
  if (text.length <= maxChars) return text;
  const end = Math.max(0, maxChars - mark.length);
  return wellFormed(text.slice(0, end)).replace(/\ufffd$/, '') + mark;
}

/** One line without control characters, at most `maxBytes` of UTF-8. */
export function oneLine(text: string, maxBytes: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: taking them out is the purpose
  const clean = text.slice(0, maxBytes).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
  return cutBytes(wellFormed(clean), maxBytes, '');
}
