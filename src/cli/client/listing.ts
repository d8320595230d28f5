/** `GET /kv/` from the command line: checked pages, one after the other. */

import { z } from "zod";
import type { BulkClient } from "./bulk-client.ts";
import { type ClusterClient, foreignAnswer, parseJson, readText } from "./client.ts";

const pageSchema = z.object({
  keys: z.array(z.object({ key: z.string(), size: z.number(), etag: z.string(), lastModified: z.string() })),
  prefixes: z.array(z.string()),
  next: z.string().nullable(),
});

export type ListedPage = Readonly<z.infer<typeof pageSchema>>;
export type PageKey = ListedPage["keys"][number];

export interface PageQuery {
  readonly prefix: string;
  readonly after: string;
  readonly delimiter?: string;
  readonly limit?: number;
}

/** @throws OperatingError as {@link ClusterClient.request}. */
export async function fetchPage(client: ClusterClient, query: PageQuery): Promise<ListedPage> {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== "") parameters.set(name, String(value));
  const answer = await client.request({ method: "GET", path: `/kv/?${parameters.toString()}` });
  const parsed = pageSchema.safeParse(parseJson(await readText(answer.body)));
  if (parsed.success) return parsed.data;
  throw foreignAnswer(answer);
}

/** All pages, beginning with the first. */
export async function* pages(cluster: BulkClient, query: Omit<PageQuery, "after">): AsyncGenerator<ListedPage> {
  for (let after: string | null = ""; after !== null; ) {
    const from: string = after;
    const page = await cluster.persist((client) => fetchPage(client, { ...query, after: from }));
    yield page;
    after = page.next;
  }
}
