/** The look of the dashboard: two sets of colours, and nothing that is fetched from elsewhere. */

export const pageStyle = `
:root { color-scheme: light dark; --text: #1c2330; --dim: #5c6675; --line: #d9dee6; --back: #f5f7fa; --card: #fff; --good: #1d7a3a; --bad: #b3261e; --badback: #fdeceb; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ee; --dim: #97a1b0; --line: #333c4a; --back: #12161d; --card: #1a202a; --good: #5cc77f; --bad: #ff8a80; --badback: #3a1f1f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 14px/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 1180px; margin: 0 auto; padding: 20px 16px 40px; display: grid; gap: 16px; grid-template-columns: repeat(2, minmax(0, 1fr)); }
header, .wide, #stale { grid-column: 1 / -1; }
header h1 { font-size: 22px; margin: 0; } header p { margin: 2px 0 0; color: var(--dim); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px; }
h2 { font-size: 13px; margin: 0 0 8px; color: var(--dim); font-weight: 600; }
ul { margin: 0; padding-left: 18px; } .troubles { background: var(--badback); border-color: var(--bad); }
.well { color: var(--good); font-weight: 600; margin: 0; }
.nodes { display: grid; grid-template-columns: 250px minmax(0, 1fr); gap: 20px; align-items: center; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; white-space: nowrap; }
th { text-align: left; color: var(--dim); font-weight: 600; font-size: 12px; } th, td { padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); } tr:last-child td { border-bottom: 0; }
.figure { text-align: right; font-variant-numeric: tabular-nums; } a { color: inherit; } .serving { color: var(--good); } .unreachable, .no { color: var(--bad); font-weight: 600; } .yes { color: var(--good); font-weight: 600; } .wait { font-weight: 600; }
.dot { width: 11px; height: 11px; vertical-align: -1px; margin-right: 6px; }
svg path { fill: none; } .ring { display: block; width: 100%; } .band { stroke-width: 16; } .share { stroke-width: 22; }
text { fill: var(--dim); font-size: 11px; } .ring text { text-anchor: middle; } .ring .count { fill: var(--text); font-size: 17px; font-weight: 600; }
figure { margin: 0; } figcaption { font-size: 13px; color: var(--dim); font-weight: 600; margin-bottom: 4px; }
.chart { display: block; width: 100%; } .line { stroke-width: 2; stroke-linejoin: round; } .grid, .axis { stroke: var(--line); stroke-width: 1; }
dl { margin: 0; } dt { font-weight: 600; } dd { margin: 0 0 8px; color: var(--dim); } dd:last-child { margin: 0; }
time { color: var(--dim); font-variant-numeric: tabular-nums; margin-right: 8px; } ol { list-style: none; margin: 0; padding: 0; max-height: 260px; overflow-y: auto; }
footer { color: var(--dim); font-size: 12px; grid-column: 1 / -1; } #stale { margin: 0; padding: 10px 16px; background: var(--bad); color: var(--back); font-weight: 600; text-align: center; }
@media (max-width: 800px) { main { grid-template-columns: minmax(0, 1fr); } .nodes { grid-template-columns: minmax(0, 1fr); } .ring { max-width: 250px; margin: 0 auto; } }
`;
