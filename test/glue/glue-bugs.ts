/** All planted bugs of adapters and of the composition. */

import { azureBugs } from "./bugs-azure.ts";
import { dialectBugs } from "./bugs-dialect.ts";
import { diskBugs } from "./bugs-disk.ts";
import { folderBugs } from "./bugs-folder.ts";
import { journalBugs } from "./bugs-journal.ts";
import { linkBugs } from "./bugs-link.ts";
import { meteredBugs } from "./bugs-metered.ts";
import { multipartBugs } from "./bugs-multipart.ts";
import { networkBugs } from "./bugs-network.ts";
import { nodeBugs } from "./bugs-node.ts";
import { partedBugs } from "./bugs-parted.ts";
import { reloadBugs } from "./bugs-reload.ts";
import { s3Bugs } from "./bugs-s3.ts";
import { settingsBugs } from "./bugs-settings.ts";
import { sharesBugs } from "./bugs-shares.ts";
import type { GlueBug } from "./glue-bug.ts";

export const glueBugs: readonly GlueBug[] = [
  ...diskBugs,
  ...journalBugs,
  ...meteredBugs,
  ...s3Bugs,
  ...azureBugs,
  ...folderBugs,
  ...partedBugs,
  ...linkBugs,
  ...networkBugs,
  ...settingsBugs,
  ...sharesBugs,
  ...nodeBugs,
  ...reloadBugs,
  ...dialectBugs,
  ...multipartBugs,
];
