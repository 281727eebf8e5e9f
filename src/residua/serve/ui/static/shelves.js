// What was made before and is only shown: experiments of the papers, and drawings of analyses.

import { ask, command, el, lang, show, t } from "./dom.js";

export async function openPapers() {
  const { experiments } = await ask(`/ui/experiments?lang=${lang}`);
  if (!experiments.length) {
    show("papers", el("p", {}, t("no_experiments")), command("residua reproduce all --scale quick"));
    return;
  }
  show("papers", el("div", { class: "cards" }, experiments.map(experiment)));
}

function experiment(row) {
  if (row.error) return el("article", { class: "card" }, el("h3", {}, row.id), el("p", {}, row.error));
  const address = `/ui/experiments/${encodeURIComponent(row.id)}?lang=${lang}`;
  return el("article", { class: "card" },
    el("h3", {}, el("a", { href: address, target: "_blank" }, row.title)),
    el("p", {}, `${t("verdict")}: ${row.verdict}`),
    el("p", { class: "under" }, `${row.experiment} · ${t("scale")}: ${row.scale}`));
}

export async function openAnalyses() {
  const { analyses } = await ask("/ui/analyses");
  if (!analyses.length) {
    show("analyses", el("p", {}, t("no_analyses")), command("residua analyze response latest"));
    return;
  }
  show("analyses", el("div", { class: "charts" }, analyses.map(analysis)));
}

function analysis(row) {
  if (row.error) return el("figure", { class: "chart" }, el("figcaption", {}, row.id), el("p", {}, row.error));
  const address = `/ui/analyses/${encodeURIComponent(row.id)}`;
  return el("figure", { class: "chart" },
    el("figcaption", {}, `${row.title} · ${row.network}`),
    el("a", { href: address, target: "_blank" }, el("img", { src: address, alt: `${t("drawing", { name: row.title })}. ${row.sentence}`, loading: "lazy", class: "drawing" })),
    el("p", { class: "note" }, row.sentence));
}
