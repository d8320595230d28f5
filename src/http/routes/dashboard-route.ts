/** `GET /`: the dashboard, for people with a browser. */

import { answer, type Exchange } from "../server/exchange.ts";
import { type FixedRoute, reading } from "../server/route.ts";

/** The page, as its maker gives it. */
export interface DashboardPage {
  /** Its Content-Security-Policy. */
  readonly policy: string;
  /** The HTML of this moment. */
  readonly render: () => string;
}

export function dashboardRoute({ policy, render }: DashboardPage): FixedRoute {
  const headers = Object.entries({
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": policy,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
  }).flat();
  const handle = (exchange: Exchange): void => {
    const text = render();
    answer(exchange, 200, [...headers, "Content-Length", String(Buffer.byteLength(text))], text);
  };
  return { kind: "fixed", needs: reading("monitor"), takesBasic: true, handle };
}
