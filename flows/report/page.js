"use strict";
const { rows, strips, steps } = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const PAGE = 20, FLAT_PAGE = 200;
rows.forEach((row, index) => { row.index = index; });
const children = rows.map(() => []);
rows.forEach((row) => { if (row.parent !== null && row.parent !== undefined) children[row.parent].push(row); });

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function caption(row) {
  if (row.kind === "real") return ["source", row.label || "unlabelled"];
  if (row.kind === "edit") return [`${row.name} ${row.strength ?? ""}`, row.form ? `form ${row.form}` : row.edit];
  return [`${row.scale} SIFID ${row.sifid === undefined ? "-" : row.sifid.toPrecision(2)}`, row.status === "accepted" ? "" : row.reason];
}

function tile(row, address, mask) {
  const made = element("button", `tile ${row.kind} ${row.status || ""}${mask ? " mask" : ""}`);
  made.type = "button";
  const lines = mask ? ["attention mask", ""] : caption(row);
  if (address) {
    const image = element("img");
    image.loading = "lazy"; image.decoding = "async"; image.src = address; image.alt = `${row.kind}: ${lines.join(" ")}`;
    made.append(image);
  } else made.append(element("div", "none"));
  lines.forEach((line) => made.append(element("span", "", line)));
  made.addEventListener("click", () => enlarge(row, address));
  return made;
}

function enlarge(row, address) {
  const image = $("large").querySelector("img");
  image.hidden = !address;
  if (address) image.src = address;
  const list = $("large").querySelector("dl");
  list.replaceChildren();
  for (const [name, value] of Object.entries(row)) {
    if (["picture", "mask", "parent", "index"].includes(name) || value === null) continue;
    list.append(element("dt", "", name), element("dd", "", String(value)));
  }
  $("large").showModal();
}

const filters = [...document.querySelectorAll("#filters select[data-field]")];
for (const select of filters) {
  const values = [...new Set(rows.map((row) => row[select.dataset.field]).filter((value) => value !== undefined && value !== null))].sort();
  select.append(new Option("any", ""), ...values.map((value) => new Option(value, value)));
}
const passes = (row) => filters.every((select) => !select.value || row[select.dataset.field] === select.value);

function sourceBlock(source, chosen) {
  const block = element("article", "source");
  block.append(element("h3", "", `${source.source} (${source.split}, ${source.label || "unlabelled"})`));
  const first = element("div", "row");
  first.append(tile(source, source.picture));
  block.append(first);
  for (const edit of children[source.index]) {
    const variants = children[edit.index].filter((row) => chosen.has(row.index));
    if (!chosen.has(edit.index) && !variants.length) continue;
    const line = element("div", "row");
    line.append(tile(edit, edit.picture));
    if (edit.mask) line.append(tile(edit, edit.mask, true));
    variants.forEach((row) => line.append(tile(row, row.picture)));
    block.append(line);
  }
  return block;
}

let waiting = [];
function showMore() {
  const next = waiting.splice(0, $("order").value === "source" ? PAGE : FLAT_PAGE);
  if ($("order").value === "source") $("gallery").append(...next.map((make) => make()));
  else if (next.length) { const flat = element("div", "flat"); flat.append(...next.map((make) => make())); $("gallery").append(flat); }
}

function update() {
  const found = rows.filter(passes), chosen = new Set(found.map((row) => row.index));
  const filtered = filters.some((select) => select.value);
  $("shown").textContent = `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
  $("gallery").replaceChildren();
  if ($("order").value === "source") {
    const holds = (source) => chosen.has(source.index) || children[source.index].some((edit) => chosen.has(edit.index) || children[edit.index].some((row) => chosen.has(row.index)));
    waiting = rows.filter((row) => row.kind === "real" && (!filtered || holds(row))).map((row) => () => sourceBlock(row, chosen));
  } else {
    const sign = $("order").value === "low" ? 1 : -1;
    const variants = found.filter((row) => row.kind === "variant" && row.sifid !== undefined);
    waiting = variants.sort((a, b) => sign * (a.sifid - b.sifid)).map((row) => () => tile(row, row.picture));
  }
  showMore();
}
filters.forEach((select) => select.addEventListener("change", update));
$("order").addEventListener("change", update);
new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) showMore(); }, { rootMargin: "800px" }).observe($("more"));

$("gallery").addEventListener("keydown", (event) => {
  const tiles = [...$("gallery").querySelectorAll(".tile")], here = tiles.indexOf(document.activeElement);
  if (here < 0) return;
  const top = (item) => item.getBoundingClientRect().top, left = (item) => item.getBoundingClientRect().left;
  let next = null;
  if (event.key === "ArrowRight") next = tiles[here + 1];
  else if (event.key === "ArrowLeft") next = tiles[here - 1];
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const down = event.key === "ArrowDown", own = tiles[here];
    const others = tiles.filter((item) => (down ? top(item) > top(own) + 8 : top(item) < top(own) - 8));
    const line = down ? Math.min(...others.map(top)) : Math.max(...others.map(top));
    next = others.filter((item) => Math.abs(top(item) - line) < 8).sort((a, b) => Math.abs(left(a) - left(own)) - Math.abs(left(b) - left(own)))[0];
  }
  if (next) { event.preventDefault(); next.focus(); next.scrollIntoView({ block: "nearest" }); }
});

function showStrips() {
  const source = strips[$("strip-source").value], emotion = $("strip-emotion").value;
  for (const kind of ["strength", "alpha"]) {
    const step = Number($(kind).value), strip = source[kind][emotion], image = $(`strip-${kind}`);
    $(`${kind}-value`).textContent = steps[step];
    image.hidden = !strip;
    if (strip) { image.src = strip[step]; image.alt = `${emotion} at ${kind} ${steps[step]}`; }
  }
}
if (Object.keys(strips).length) {
  $("strips").hidden = false;
  $("strip-source").append(...Object.keys(strips).map((index) => new Option(rows[Number(index)].source, index)));
  const own = rows[Number($("strip-source").value)].label;
  const other = [...$("strip-emotion").options].find((option) => option.value !== own);
  if (other) $("strip-emotion").value = other.value;
  ["strip-source", "strip-emotion", "strength", "alpha"].forEach((id) => $(id).addEventListener("input", showStrips));
  showStrips();
}
$("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
});
update();
