// The list of runs, looked at again while something trains, and the curves of one of them.

import { follow } from "./curves.js";
import { ask, command, el, lang, percent, say, show, t } from "./dom.js";

const SECONDS = 4;
const selected = new Set();
let shown = ""; // whose curves
let stop = () => {};
let timer = 0;

export async function openRuns(run) {
  const { runs } = await ask("/ui/runs");
  clearTimeout(timer);
  if (!runs.length) {
    show("runs", el("p", {}, t("no_runs")), command("residua train"));
    return;
  }
  draw(runs);
  const wanted = run ?? (shown || runs.find((row) => row.state !== "damaged")?.run);
  if (wanted && wanted !== shown) showCurves(wanted);
  timer = setTimeout(() => openRuns().catch(() => say(t("lost"), true)), 1000 * SECONDS);
}

export function closeRuns() {
  clearTimeout(timer);
  stop();
  shown = "";
}

function draw(runs) {
  const focus = document.activeElement?.id;
  const compare = el("button", { id: "compare", type: "button", disabled: selected.size < 2, onclick: openReport }, t("compare"));
  const head = ["select", "run", "state", "model", "data", "epochs", "validation", "test", "report"];
  show("runs",
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("list") },
      el("table", { class: "list" },
        el("thead", {}, el("tr", {}, head.map((key) => el("th", { scope: "col", class: wide(key) }, t(key))))),
        el("tbody", {}, runs.map((row, number) => line(row, number, compare))))),
    el("p", {}, compare, " ", el("span", { class: "note" }, t("compare_hint"))));
  if (focus) document.getElementById(focus)?.focus();
}

const wide = (key) => (["model", "data", "epochs", "validation"].includes(key) ? "wide" : false);

function line(row, number, compare) {
  const damaged = row.state === "damaged";
  const box = el("input", {
    id: `select-${number}`, type: "checkbox", "aria-label": `${t("select")} ${row.run}`, disabled: damaged,
    onchange: (event) => {
      if (event.target.checked) selected.add(row.run);
      else selected.delete(row.run);
      compare.disabled = selected.size < 2;
    },
  });
  box.checked = selected.has(row.run);
  const name = el("button", {
    id: `run-${number}`, type: "button", class: "link", disabled: damaged, "aria-pressed": String(row.run === shown),
    onclick: () => { location.hash = `#runs/${encodeURIComponent(row.run)}`; },
  }, row.run);
  const report = damaged ? row.error : el("a", { href: address([row.run]), target: "_blank" }, t("report"));
  return el("tr", {},
    el("td", {}, box),
    el("td", {}, name),
    el("td", {}, el("span", { class: `state ${row.state}` }, t(row.state))),
    el("td", { class: "wide" }, row.model ?? ""),
    el("td", { class: "wide" }, row.data ?? ""),
    el("td", { class: "wide number" }, String(row.epochs ?? "")),
    el("td", { class: "wide number" }, percent(row.validation)),
    el("td", { class: "number" }, row.metric === "accuracy" ? percent(row.test) : String(row.test?.toPrecision(4) ?? "–")),
    el("td", {}, report));
}

function address(runs) {
  return `/ui/report?${new URLSearchParams([...runs.map((run) => ["run", run]), ["lang", lang]])}`;
}

function openReport() {
  open(address([...selected]), "_blank", "noopener");
}

function showCurves(run) {
  stop();
  shown = run;
  stop = follow(run);
  for (const button of document.querySelectorAll("button.link")) {
    button.setAttribute("aria-pressed", String(button.textContent === run));
  }
}
