/** `weir licenses`: under which licences all is that the executable contains. The build puts the texts into it. */

import { getAsset, isSea } from "node:sea";
import type { Command } from "commander";
import { OperatingError } from "../../base/errors.ts";
import { writeOut } from "../process/output.ts";
import type { Terminal } from "../process/terminal.ts";

interface LicensesOptions {
  readonly sbom?: boolean;
}

export function addLicensesCommand(program: Command, terminal: Terminal): void {
  program
    .command("licenses")
    .summary("print the licences of all that is in it")
    .description(
      "Prints the licences of weir, of its runtime, and of the packages in it. With --sbom it prints the bill of materials: their names, versions and hashes, in CycloneDX's JSON.",
    )
    .option("--sbom", "print the bill of materials")
    .addHelpText("after", "\nExamples:\n  weir licenses\n  weir licenses --sbom > weir.cdx.json")
    .action((options: LicensesOptions) => print(options, terminal));
}

async function print({ sbom }: LicensesOptions, terminal: Terminal): Promise<void> {
  if (!isSea()) {
    throw new OperatingError(
      "config_invalid",
      'this is no executable of weir: "npm run build" makes one with the texts in it and beside it; here LICENSE and node_modules have them',
    );
  }
  await writeOut(
    (async function* () {
      yield getAsset(sbom ? "sbom.cdx.json" : "licenses.txt", "utf8");
    })(),
    terminal,
  );
}
