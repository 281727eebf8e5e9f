// Texts, elements and requests: what every view uses.

const texts = JSON.parse(document.getElementById("texts").textContent);
export const lang = document.documentElement.lang.startsWith("zh") ? "zh" : "en";

export function t(key, fields = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (_, name) => fields[name]);
}

/** An element; `on...` are listeners, other attributes are set, and texts are never read as markup. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

export function show(place, ...children) {
  document.getElementById(place).replaceChildren(...children.flat());
}

/** Tell everybody, screen readers too. */
export function say(text, failed = false) {
  const said = document.getElementById("said");
  said.textContent = text;
  said.classList.toggle("failed", failed);
}

export function complain(error) {
  say(t("failed", { why: error.message }), true);
}

/** The JSON of an address; what is refused is an Error with the server's reason. */
export async function ask(address, options) {
  const response = await fetch(address, options);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `${response.status} ${response.statusText}`);
  return answer;
}

export function percent(share) {
  return typeof share === "number" ? `${(100 * share).toFixed(1)} %` : "–";
}

export function command(words) {
  return el("pre", { tabindex: "0" }, el("code", {}, words));
}

export function table(head, rows, name) {
  return el("table", { class: "list", "aria-label": name },
    el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", { class: "number" }, String(cell)))))));
}
