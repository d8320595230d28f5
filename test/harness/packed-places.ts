/** Where in the sources a place in the packed modules is, so that the report of a whole run names what one can open. */

import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { basename, join } from "node:path";
import { mapOf, modulesFile } from "./packed-modules.ts";

export class PackedPlaces {
  /** A place in the modules' file, with whatever path: its line and column. */
  readonly #place: RegExp;
  /** The lines with which modules begin, in order. */
  readonly #modules: { readonly path: string; readonly line: number }[] = [];
  readonly #maps = new Map<string, SourceMap>();

  /** @param folder - of the packed modules */
  constructor(folder: string) {
    this.#place = new RegExp(String.raw`[^\s(]*${basename(folder)}/${modulesFile}:(\d+):(\d+)`);
    for (const [index, text] of readFileSync(join(folder, modulesFile), "latin1").split("\n").entries()) {
      const [, path] = /^"([^"]+)": function \(/.exec(text) ?? [];
      if (path !== undefined) this.#modules.push({ path, line: index + 1 });
    }
  }

  /** The text, as of an error's stack, with the places in the sources instead, from the root. */
  async inText(text: string): Promise<string> {
    let told = "";
    let rest = text;
    for (let found = this.#place.exec(rest); found !== null; found = this.#place.exec(rest)) {
      const [place, line, column] = found;
      told += rest.slice(0, found.index) + ((await this.#sourceOf(Number(line), Number(column))) ?? place);
      rest = rest.slice(found.index + place.length);
    }
    return told + rest;
  }

  async #sourceOf(line: number, column: number): Promise<string | undefined> {
    const module = this.#modules.findLast((each) => each.line < line);
    if (module === undefined) return undefined;
    let map = this.#maps.get(module.path);
    if (map === undefined) {
      map = new SourceMap(await mapOf(module.path));
      this.#maps.set(module.path, map);
    }
    const entry = map.findEntry(line - module.line - 1, column - 1);
    if (!("originalLine" in entry)) return undefined;
    return `${module.path}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  }
}
