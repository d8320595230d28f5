/** Figures and tables as people read them. */

/** How much is done, drawn: `[#####-----] 50 %`. Nothing to do is done. */
export function formatBar(done: number, total: number): string {
  const part = total === 0 ? 1 : Math.min(1, Math.max(0, done / total));
  const filled = Math.floor(part * barWidth);
  return `[${"#".repeat(filled)}${"-".repeat(barWidth - filled)}] ${Math.floor(part * 100)} %`;
}

const barWidth = 20;

/** Lines of aligned columns, two spaces apart; `right` lists the indexes of columns that hold figures. */
export function formatTable(rows: readonly (readonly string[])[], right: readonly number[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, index) =>
        right.includes(index) ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
}
