/** Writes the page of settings, which comes from the configuration's schema. */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "../test/harness/steps.ts";
import { settingsPage, settingsPagePath } from "../test/harness/tidy/documents.ts";

mkdirSync(dirname(join(root, settingsPagePath)), { recursive: true });
writeFileSync(join(root, settingsPagePath), settingsPage());
process.stdout.write(`${settingsPagePath} is as the schema says\n`);
