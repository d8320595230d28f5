/** Prints the README's table of settings, which comes from the configuration's schema. */

import { settingsTable } from "../src/config/settings.ts";

process.stdout.write(`${settingsTable()}\n`);
