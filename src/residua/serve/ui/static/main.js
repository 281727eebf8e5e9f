// Which view is shown: the part of the address after #.

import { complain } from "./dom.js";
import { openLook } from "./look.js";
import { openAnalyses, openPapers } from "./shelves.js";
import { closeRuns, openRuns } from "./runs.js";

const VIEWS = { runs: openRuns, look: openLook, papers: openPapers, analyses: openAnalyses };

function change(event) {
  const [name, rest] = location.hash.slice(1).split("/", 2);
  const wanted = name in VIEWS ? name : "runs";
  for (const view of Object.keys(VIEWS)) {
    document.getElementById(`view-${view}`).hidden = view !== wanted;
    const link = document.querySelector(`nav a[href="#${view}"]`);
    if (view === wanted) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (wanted !== "runs") closeRuns();
  if (event) document.getElementById("content").focus();
  VIEWS[wanted](rest && decodeURIComponent(rest)).catch(complain);
}

addEventListener("hashchange", change);
change();
