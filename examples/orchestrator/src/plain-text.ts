/** Control and bidirectional-override characters, which can rewrite a terminal line or reverse what is read. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Hostile text as one visible line: unseen characters become symbols, and it is cut at `max` characters. */
export function oneLine(text: string, max = 200): string {
  const visible = text.slice(0, max * 4).replace(UNSEEN, symbolOf);
  const characters = [...visible];
  return characters.length > max ? `${characters.slice(0, max - 1).join('')}…` : visible;
}

/** The same for Markdown: nothing in it can become markup, HTML, a link or front matter. */
export function markdownText(text: string, max = 200): string {
  return oneLine(text, max).replace(/[\\`*_{}[\]()#+\-.!|<>~&:@]/g, (character) =>
    character === '<' ? '&lt;' : character === '>' ? '&gt;' : character === '&' ? '&amp;' : `\\${character}`,
  );
}

function symbolOf(character: string): string {
  const code = character.charCodeAt(0);
  if (code === 0x0a || code === 0x0d || code === 0x2028 || code === 0x2029) return '↵';
  if (code === 0x09) return ' ';
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : '�';
}
