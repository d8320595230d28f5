/**
 * Circles of files that import each other, types included: no file of a circle can be understood, tested or moved
 * without the others. The search is Tarjan's for strongly connected components ("Depth-first search and linear graph
 * algorithms", 1972), which sees each import once.
 */

/**
 * The circles among files, each with its files in order.
 *
 * @param imports - by each file, the files that it imports; what is no key is no file of ours
 */
export function circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  /** The order in which files were reached. */
  const reached = new Map<string, number>();
  /** The earliest file on the stack that a file leads to. */
  const earliest = new Map<string, number>();
  const stack: string[] = [];
  const onStack = new Set<string>();

  const visit = (file: string): number => {
    const order = reached.size;
    reached.set(file, order);
    earliest.set(file, order);
    stack.push(file);
    onStack.add(file);
    for (const target of imports.get(file) ?? []) {
      if (!imports.has(target)) continue;
      if (!reached.has(target)) lower(file, visit(target));
      else if (onStack.has(target)) lower(file, reached.get(target) as number);
    }
    const least = earliest.get(file) as number;
    if (least === order) {
      const circle = stack.splice(stack.indexOf(file));
      for (const each of circle) onStack.delete(each);
      if (circle.length > 1 || imports.get(file)?.includes(file)) found.push(circle.toSorted());
    }
    return least;
  };
  const lower = (file: string, order: number): void => {
    earliest.set(file, Math.min(earliest.get(file) as number, order));
  };

  for (const file of imports.keys()) if (!reached.has(file)) visit(file);
  return found;
}
