import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/**
 * Gives a response that somebody else has answered a head of its own, so that its handler goes on unhindered: it may set
 * headers and end, nothing throws, nothing is sent.
 */
export function shadowHead(response: ServerResponse): void {
  const headers = new Map<string, number | string | string[]>();
  for (const [name, value] of Object.entries(response.getHeaders())) if (value !== undefined) headers.set(name, value);
  const key = (name: string): string => name.toLowerCase();
  Object.assign(response, {
    setHeader(name: string, value: number | string | string[]) {
      headers.set(key(name), value);
      return response;
    },
    appendHeader(name: string, value: string | string[]) {
      const before = headers.get(key(name));
      headers.set(key(name), [...(before === undefined ? [] : [before].flat().map(String)), ...[value].flat()]);
      return response;
    },
    getHeader: (name: string) => headers.get(key(name)),
    hasHeader: (name: string) => headers.has(key(name)),
    removeHeader: (name: string) => void headers.delete(key(name)),
    getHeaderNames: () => [...headers.keys()],
    getHeaders: (): OutgoingHttpHeaders => Object.fromEntries(headers),
  });
  for (const name of ['headersSent', 'writableEnded', 'destroyed', 'finished'])
    Object.defineProperty(response, name, { configurable: true, writable: true, value: false });
}
