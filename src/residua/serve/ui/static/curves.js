// Curves that grow while a network trains: server-sent events in, uPlot out.

import { el, show, t, table } from "./dom.js";

const CHARTS = [
  { title: "loss", x: "epoch", from: "epoch", lines: { train: "train_loss", val: "val_loss" } },
  { title: "metric", x: "epoch", from: "epoch", lines: { train: "train_accuracy", val: "val_accuracy" } },
  { title: "loss", x: "step", from: "step", lines: { train: "loss" } },
  { title: "rate", x: "step", from: "step", lines: { rate: "lr" } },
];
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6, 1e7]; // epochs and steps
const COLOURS = { train: "--s1", val: "--s0", rate: "--s2" };

/** Show the curves of a run, as they come; returns what ends that. */
export function follow(run) {
  const rows = { epoch: [], step: [] };
  let plots = [];
  let due = 0;
  document.getElementById("curves").hidden = false;
  document.getElementById("title-curves").textContent = t("curves_of", { run });
  state("waiting");
  const draw = () => {
    due = 0;
    for (const plot of plots) plot.destroy();
    plots = CHARTS.filter((chart) => hasPoints(chart, rows)).map((chart) => plotted(chart, rows[chart.from]));
    show("charts", plots.map((plot) => plot.figure));
    show("curves-table", figures(rows.epoch));
  };
  const later = () => { due ||= requestAnimationFrame(draw); };
  const source = new EventSource(`/ui/runs/${encodeURIComponent(run)}/metrics`);
  source.addEventListener("lines", (event) => {
    for (const line of JSON.parse(event.data)) rows[line.event]?.push(line);
    state("live");
    later();
  });
  source.addEventListener("reset", () => {
    rows.epoch = [];
    rows.step = [];
    later();
  });
  source.addEventListener("end", () => {
    state("ended");
    source.close();
  });
  source.onerror = () => state("lost");
  const resized = () => later();
  addEventListener("resize", resized);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", resized);
  show("charts");
  show("curves-table");
  return () => {
    source.close();
    cancelAnimationFrame(due);
    removeEventListener("resize", resized);
    dark.removeEventListener("change", resized);
    for (const plot of plots) plot.destroy();
  };
}

function state(key) {
  document.getElementById("curves-state").textContent = t(key);
}

function hasPoints(chart, rows) {
  return rows[chart.from].some((row) => Object.values(chart.lines).some((key) => typeof row[key] === "number"));
}

function plotted(chart, rows) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const offset = chart.x === "epoch" ? 1 : 0; // the log counts epochs from 0
  const lines = Object.entries(chart.lines).filter(([, key]) => rows.some((row) => typeof row[key] === "number"));
  const named = t(`by_${chart.x}`, { what: t(chart.title) });
  const figure = el("figure", { class: "chart" }, el("figcaption", {}, named));
  const place = el("div", { role: "img", "aria-label": described(named, lines, rows) });
  figure.append(place);
  const width = Math.min(560, document.getElementById("content").clientWidth);
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const plot = new uPlot({
    width,
    height: 240,
    scales: { x: { time: false } },
    axes: [{ ...axis, incrs: WHOLE }, { ...axis, size: 60 }],
    series: [
      { label: t(chart.x) },
      ...lines.map(([name]) => ({
        label: name === "rate" ? t("rate") : t(name),
        stroke: colour(COLOURS[name]),
        width: 2,
        dash: name === "train" && lines.length > 1 ? [6, 4] : undefined,
        points: { show: rows.length < 40 },
        value: (_, value) => (value === null || value === undefined ? "–" : value.toPrecision(4)),
      })),
    ],
  }, [rows.map((row) => row[chart.x] + offset), ...lines.map(([, key]) => rows.map((row) => row[key] ?? null))], place);
  plot.figure = figure;
  return plot;
}

/** The last figures, for who does not see the drawing. */
function described(named, lines, rows) {
  const last = lines.map(([name, key]) => {
    const row = rows.findLast((one) => typeof one[key] === "number");
    return `${t(name)} ${row[key].toPrecision(4)}`;
  });
  return `${named}: ${last.join(", ")}`;
}

function figures(rows) {
  const keys = ["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr"].filter((key) => rows.some((row) => key in row));
  const names = { epoch: t("epoch"), lr: t("rate") };
  const named = (key) => names[key] ?? `${t(key.startsWith("val") ? "val" : "train")}: ${t(key.endsWith("loss") ? "loss" : "metric")}`;
  const cell = (row, key) => (key === "epoch" ? row.epoch + 1 : row[key]?.toPrecision(4) ?? "–");
  return table(keys.map(named), rows.map((row) => keys.map((key) => cell(row, key))), t("curves"));
}
