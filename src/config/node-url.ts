/** A node's URL, `http://HOST:PORT` or `https://HOST:PORT`: its form and its parts. */

/** What is wrong with `text` as a node's URL, as the end of a sentence. Undefined if nothing is. */
export function nodeUrlMistake(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null) return "is not a URL; write http://HOST:PORT";
  if (!isHttp(url)) return "must begin with http:// or https://";
  if (url.username !== "" || url.password !== "") return "must not name a user or a password";
  // A parsed URL has dropped the port that its scheme implies, so this looks at the text.
  if (!/:\d+$/.test(text) || url.port === "0") return "must end with the port: http://HOST:PORT";
  return undefined;
}

/** The host in a URL, IPv6 addresses without their brackets. */
export function urlHost(url: string): string {
  return new URL(url).hostname.replace(/^\[(.*)\]$/, "$1");
}

export function urlPort(url: string): number {
  const { port } = new URL(url);
  if (port !== "") return Number(port);
  return isTlsUrl(url) ? 443 : 80;
}

export function isTlsUrl(url: string): boolean {
  return new URL(url).protocol === "https:";
}

function isHttp({ protocol }: URL): boolean {
  return protocol === "http:" || protocol === "https:";
}

/** Whether only processes of the same host can reach `host`. */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
