// The learnt filters of a model, page by page, on one canvas. The pointer or the arrow keys choose a unit.
import { enc, get } from "./api.js";
import { announce, h, panel, text } from "./dom.js";
import { percent, short, whole } from "./format.js";
import { canvas, drawTile, pictureCanvas, unitsPicture } from "./pictures.js";

const PAGE = 256;

export async function mosaic(element, context, model, version, about) {
  const { signal } = context;
  const base = `/api/models/${enc(model)}`;
  const kind = about.unit_kind;
  let page = 0;
  let data = null;
  let sheet = null;
  let chosen = 0;
  let columns = 16;
  let loading = new AbortController();
  signal.addEventListener("abort", () => loading.abort());

  const picture = h("canvas", { class: "pixels", width: 16, height: 16, tabindex: "0", role: "application",
    "aria-label": `Filters of the ${kind}s. Arrow keys choose one, Enter shows what excites it.`, "aria-describedby": "unit-status" });
  const status = h("p", { id: "unit-status", class: "small muted readout", role: "status" });
  const order = h("select", { id: "order" }, h("option", { value: "use" }, "most used first"), h("option", { value: "number" }, "by number"));
  const previous = h("button", { type: "button" }, "Previous");
  const next = h("button", { type: "button" }, "Next");
  const number = h("input", { type: "number", id: "page", min: 1, value: 1, inputmode: "numeric" });
  const pages = h("span", { class: "muted" });
  const message = h("p", { class: "message", role: "alert" });
  const source = h("p", { class: "note" });
  const detail = h("div", { class: "stack", id: "unit-detail" });
  const pager = h("div", { class: "row" }, previous, h("label", { for: "page" }, "Page"), number, pages, next);
  element.append(panel(about.unit_kind === "map" ? "Learnt filters of its maps" : "Learnt filters", "each scaled by itself",
    h("div", { class: "row spread" }, h("div", { class: "row" }, h("label", { for: "order" }, "Order"), order), pager),
    source, message,
    h("div", { class: "split" }, h("div", { class: "mosaic" }, picture, status), detail)));

  const lastPage = () => Math.ceil(data.total / PAGE) - 1;

  async function load() {
    loading.abort();
    loading = new AbortController();
    const mine = loading.signal;
    text(message, "");
    try {
      const units = await get(`${base}/units?version=${version}&order=${order.value}&from=${page * PAGE}&count=${PAGE}`, mine);
      columns = Math.min(matchMedia("(max-width: 640px)").matches ? 8 : 16, Math.ceil(Math.sqrt(units.units.length)));
      const drawn = units.picture ? await unitsPicture(model, version, units.units, columns, mine) : null;
      if (mine.aborted) return;
      data = units;
      sheet = drawn;
      chosen = 0;
      show();
      await choose(0, true);
    } catch (error) {
      if (!mine.aborted && error.status !== 401) text(message, error.message);
    }
  }

  function show() {
    text(pages, `of ${whole(lastPage() + 1)}`);
    number.max = lastPage() + 1;
    number.value = page + 1;
    previous.disabled = page === 0;
    next.disabled = page >= lastPage();
    pager.hidden = data.total <= PAGE;
    const projected = data.picture?.projected ? " They are projected down through the decoders of the layers below." : "";
    const use = data.use_source
      ? `Use is counted over ${whole(data.use_source.rows)} ${data.use_source.kind === "live" ? "live rows" : "rows of its training data"}.`
      : `Use is not known: ${data.use_problem}.`;
    text(source, `${data.picture ? "" : `${data.picture_problem}. `}${use}${projected}`);
    draw();
  }

  // Every tile has a gap of a pixel of the screen around it; the chosen one a frame.
  function draw() {
    if (!sheet) return;
    const { width, height } = data.picture;
    const zoom = Math.max(1, Math.floor(1000 / columns / Math.max(width, height)));
    const gap = 4;
    const [w, t] = [width * zoom + gap, height * zoom + gap];
    picture.width = columns * w + gap;
    picture.height = Math.ceil(data.units.length / columns) * t + gap;
    const target = picture.getContext("2d");
    target.imageSmoothingEnabled = false;
    data.units.forEach((unit, i) => {
      const [x, y] = [i % columns, Math.floor(i / columns)];
      target.drawImage(sheet, x * width, y * height, width, height, x * w + gap, y * t + gap, width * zoom, height * zoom);
    });
    target.strokeStyle = "#ff8c1a";
    target.lineWidth = gap;
    target.strokeRect((chosen % columns) * w + gap / 2, Math.floor(chosen / columns) * t + gap / 2, w, t);
  }

  function describe(i) {
    const unit = data.units[i];
    const use = data.use.length > 0 ? `, active in ${percent(data.use[i])} of the ${kind === "map" ? "positions" : "rows"}` : "";
    return `${kind === "map" ? "Map" : "Unit"} ${whole(unit)}${use}`;
  }

  async function choose(i, quietly = false) {
    if (!data || i < 0 || i >= data.units.length) return;
    chosen = i;
    draw();
    text(status, describe(i));
    const unit = data.units[i];
    const shape = data.picture;
    const large = shape ? canvas(shape.width, shape.height, `Filter of ${kind} ${unit}`) : null;
    if (large) {
      large.classList.add("large");
      drawTile(large, sheet, i, columns, shape.width, shape.height);
    }
    const rows = h("ul", { class: "thumbs" });
    const rowsTitle = h("p", { class: "small muted" });
    detail.replaceChildren(h("h3", {}, describe(i)), large ? h("figure", { class: "figure" }, large) : "", rowsTitle, rows);
    try {
      const found = await get(`${base}/units/${unit}?version=${version}`, loading.signal);
      if (chosen !== i) return;
      text(rowsTitle, found.rows.length > 0 ? `What excites it most, of ${whole(found.samples)} training rows`
        : `None of ${whole(found.samples)} training rows excites it.`);
      rows.replaceChildren(...await Promise.all(found.rows.map(async (row) => h("li", {},
        await pictureCanvas(row.picture, `Training row ${row.row}`), h("span", { class: "value" }, short(row.value))))));
      if (!quietly) announce(describe(i));
    } catch (error) {
      if (!loading.signal.aborted && error.status !== 401) text(rowsTitle, error.message);
    }
  }

  const go = (to) => {
    page = Math.max(0, Math.min(lastPage(), to));
    load();
  };
  previous.addEventListener("click", () => go(page - 1));
  next.addEventListener("click", () => go(page + 1));
  number.addEventListener("change", () => go((Number(number.value) || 1) - 1));
  order.addEventListener("change", () => go(0));
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    const rows = Math.ceil(data.units.length / columns);
    const x = Math.floor((event.clientX - box.left) / box.width * columns);
    const y = Math.floor((event.clientY - box.top) / box.height * rows);
    choose(y * columns + x);
  });
  picture.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -chosen,
      End: (data?.units.length || 1) - 1 - chosen, Enter: 0 }[event.key];
    if (move === undefined || !data) return;
    event.preventDefault();
    choose(chosen + move);
  });
  await load();
}
