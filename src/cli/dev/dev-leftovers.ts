/**
 * What the last `weir dev` in the same folder has left. After an orderly stop, that is nothing. After a kill, there are
 * nodes in the view whose journals have values that are nowhere else. Those nodes are started again, even if fewer are
 * wanted now, and leave in order.
 */

import { existsSync } from "node:fs";
import { OperatingError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { type Config, dataFolder } from "../../config/config.ts";
import { Doubt } from "../../core/doubt.ts";

/**
 * The nodes beyond those of `config` that must be started, too.
 *
 * @throws OperatingError `config_invalid` when a cluster of another folder uses the store. The store's own error when
 * it cannot be read.
 */
export async function findLeftovers(config: Config, log: Log): Promise<readonly string[]> {
  const { openViewRecord } = await import("../../compose.ts");
  await using opened = await openViewRecord(config, log);
  const view = (await opened.record.read())?.view;
  if (view === undefined) return [];
  const hasData = (id: string): boolean => existsSync(dataFolder(config, id));
  const foreign = view.members.filter(({ id }) => !hasData(id));
  // The cluster cannot do without so many members. New nodes would take the place of nodes that may still run
  // elsewhere.
  if (2 * foreign.length > view.members.length) {
    const names = foreign.map(({ id, url }) => `${id} (${url})`).join(", ");
    throw new OperatingError(
      "config_invalid",
      `${opened.description} belongs to a cluster of other nodes: ${names}, whose journals are not in ${config.data}. ` +
        "Choose another prefix or folder with --store; or, if that cluster is gone for good, give its nodes up with weir forget",
    );
  }
  const wanted = new Set(config.nodes.map(({ id }) => id));
  const needed = new Set([...view.members.map(({ id }) => id), ...new Doubt(view).awaited]);
  return [...needed].filter((id) => !wanted.has(id) && hasData(id)).toSorted();
}
