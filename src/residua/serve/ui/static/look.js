// Images in front of a network and its artifacts: what each says, where it looked, and how long it took.

import { ask, complain, el, percent, say, t } from "./dom.js";

const MOST = 12; // images that stay on the page
const SIZE = 224; // pixels of a canvas
const CENTRE = 7 / 8; // of the shorter side, from so many pixels on (residua.data.image)
const SMALL = 96;
const known = {}; // artifacts by run
let camera = null;
let wired = false;

export async function openLook() {
  const { runs } = await ask("/ui/runs");
  const list = document.getElementById("network");
  const before = list.value;
  const askable = runs.filter((row) => row.state !== "damaged");
  list.replaceChildren(...askable.map((row) => el("option", { value: row.run }, `${row.run} (${row.model})`)));
  for (const row of askable) known[row.run] = row.artifacts;
  if (before in known) list.value = before;
  if (!askable.length) say(t("no_networks"));
  if (!wired) wire();
  wired = true;
}

function wire() {
  const files = document.getElementById("files");
  files.addEventListener("change", () => {
    consult([...files.files]);
    files.value = "";
  });
  const drop = document.getElementById("drop");
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    consult([...event.dataTransfer.files]);
  });
  document.getElementById("camera").addEventListener("click", () => toggleCamera().catch((error) => {
    say(t("no_camera", { why: error.message }), true);
  }));
  document.getElementById("take").addEventListener("click", take);
  document.getElementById("heat").addEventListener("change", () => {
    for (const canvas of document.querySelectorAll("#answers canvas")) canvas.redraw();
  });
}

async function toggleCamera() {
  const [video, button] = [document.getElementById("video"), document.getElementById("camera")];
  if (camera) {
    for (const track of camera.getTracks()) track.stop();
    camera = null;
  } else {
    if (!navigator.mediaDevices) throw new Error("HTTPS");
    camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.srcObject = camera;
    await video.play();
  }
  video.hidden = !camera;
  document.getElementById("take").hidden = !camera;
  button.textContent = t(camera ? "stop_camera" : "camera");
}

function take() {
  const video = document.getElementById("video");
  const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => consult([new File([blob], "camera.png", { type: "image/png" })]), "image/png");
}

async function consult(files) {
  const run = document.getElementById("network").value;
  if (!run) return;
  const answers = document.getElementById("answers");
  if (!answers.querySelector(".asked")) answers.replaceChildren();
  answers.setAttribute("aria-busy", "true");
  for (const file of files) {
    const sides = el("div", { class: "sides" });
    const agreement = el("p", { class: "note" });
    answers.prepend(el("article", { class: "asked" }, el("h3", {}, file.name), sides, agreement));
    while (answers.children.length > MOST) answers.lastChild.remove();
    const picture = await createImageBitmap(file).catch(() => null);
    const labels = [];
    for (const network of [run, ...known[run]]) {
      say(t("asking", { network, image: file.name }));
      try {
        const found = await question(network, file);
        sides.append(side(network, file, picture, found));
        labels.push(found.label);
      } catch (error) {
        sides.append(el("div", {}, el("h4", {}, network), el("p", {}, error.message)));
        complain(error);
      }
    }
    if (labels.length > 1) agreement.textContent = t(new Set(labels).size > 1 ? "differ" : "agree");
  }
  answers.removeAttribute("aria-busy");
}

/** What a network says of a file; asked twice if it had to be loaded first, so that the time is that of an answer. */
async function question(network, file) {
  const { models } = await ask("/v1/models");
  const post = () => {
    const form = new FormData();
    form.append("file", file);
    return ask(`/v1/predict?${new URLSearchParams({ model: network, cam: "true" })}`, { method: "POST", body: form });
  };
  let found = await post();
  if (!models.some((model) => model.name === network)) found = await post();
  const facts = (await ask("/v1/models")).models.find((model) => model.name === network);
  return { ...found, size: facts?.shape?.at(-1) ?? SMALL, precision: facts?.precision, format: facts?.format };
}

function side(network, file, picture, found) {
  const kind = [found.format, found.precision].filter(Boolean).join(" ");
  const ms = found.milliseconds.toFixed(1);
  const made = el("div", {}, el("h4", {}, kind, el("span", { class: "under" }, ` ${network}`)));
  if (picture) made.append(canvas(network, picture, found));
  if (found.values) {
    const rows = Object.entries(found.values).map(([name, value]) => item(name, value.toPrecision(4)));
    made.append(el("ol", { "aria-label": t("values") }, rows));
  } else {
    const bar = (label, value) => el("meter", { min: 0, max: 1, value, "aria-label": label });
    const rows = found.top.map(({ label, probability }) => item(label, percent(probability), bar(label, probability)));
    made.append(el("ol", { "aria-label": t("top") }, rows));
    if (!found.cam) made.append(el("p", { class: "note" }, t("no_map")));
  }
  made.append(el("p", { class: "note" }, t("milliseconds", { ms })));
  say(t("answered", { network, image: file.name, label: found.label ?? "", probability: percent(found.probability), ms }));
  return made;
}

function item(name, figure, ...more) {
  return el("li", {}, el("span", {}, name), el("span", {}, figure), more);
}

/** The part of the image that the network saw, with its map over it. */
function canvas(network, picture, found) {
  const text = found.cam ? t("where", { network, label: found.label, text: strongest(found.cam) }) : picture.name ?? network;
  const made = el("canvas", { width: SIZE, height: SIZE, role: "img", "aria-label": text });
  const side = Math.min(picture.width, picture.height) * (found.size >= SMALL ? CENTRE : 1);
  const pen = made.getContext("2d");
  made.redraw = () => {
    pen.drawImage(picture, (picture.width - side) / 2, (picture.height - side) / 2, side, side, 0, 0, SIZE, SIZE);
    if (found.cam && document.getElementById("heat").checked) pen.drawImage(heat(found.cam), 0, 0, SIZE, SIZE);
  };
  made.redraw();
  return made;
}

/** A map as a small picture: transparent where it is low, orange where it is high. Below 0 nothing speaks for the class. */
function heat(cam) {
  const [height, width] = [cam.length, cam[0].length];
  const peak = Math.max(...cam.flat(), 1e-9);
  const pixels = new ImageData(width, height);
  cam.flat().forEach((value, place) => {
    const share = Math.max(value, 0) / peak;
    pixels.data.set([255, 200 - 150 * share, 0, 190 * share], 4 * place);
  });
  const small = new OffscreenCanvas(width, height);
  small.getContext("2d").putImageData(pixels, 0, 0);
  return small;
}

/** Where a map is highest, in words. */
function strongest(cam) {
  const flat = cam.flat();
  const at = flat.indexOf(Math.max(...flat));
  const third = (place, size) => Math.min(2, Math.floor((3 * (place + 0.5)) / size));
  const row = third(Math.floor(at / cam[0].length), cam.length);
  return t("centre", { place: t("places").split("|")[3 * row + third(at % cam[0].length, cam[0].length)] });
}
