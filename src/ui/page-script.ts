/**
 * Keeps an open dashboard fresh. It asks for the page again, and puts the new content in place of the old. When no
 * answer comes, it says so.
 */

import { sampleMs } from "./history.ts";

/** Milliseconds that it waits for an answer. */
const answerMs = 5_000;

export const pageScript = `
"use strict";
let lastAnswer = new Date();
async function refresh() {
  if (!document.hidden) {
    const stale = document.querySelector("#stale");
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(${answerMs}) });
      if (!answer.ok) throw new Error("status " + answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const list = document.querySelector("ol");
      const scrolled = list ? list.scrollTop : 0;
      document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
      const renewed = document.querySelector("ol");
      if (renewed) renewed.scrollTop = scrolled;
      document.title = page.title;
      lastAnswer = new Date();
      stale.hidden = true;
    } catch (error) {
      stale.textContent = "This node has not answered since " + lastAnswer.toLocaleTimeString() + " (" + error.message + "). What is below is of then.";
      stale.hidden = false;
    }
  }
  setTimeout(refresh, ${sampleMs});
}
setTimeout(refresh, ${sampleMs});
`;
