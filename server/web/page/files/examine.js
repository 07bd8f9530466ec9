// Codes of rows: a sample of the training data, and a picture that the user draws or uploads.
import { enc, get, post } from "./api.js";
import { announce, h, panel, text } from "./dom.js";
import { percent, short, whole } from "./format.js";
import { canvas, drawTile, figure, mapCanvas, unitsPicture } from "./pictures.js";

const MOST_SHOWN = 24;

export async function examinations(element, context, model, version, about) {
  element.append(sample(context, model, version, about), tryIt(context, model, version, about));
}

function sample(context, model, version, about) {
  const result = h("div");
  const message = h("p", { class: "message", role: "alert" });
  const where = h("span", { class: "muted", role: "status" });
  let row = 0;
  let rows = 1;
  const show = async (to) => {
    row = (to + rows) % rows;
    text(message, "");
    try {
      const found = await get(`/api/models/${enc(model)}/samples/${row}?version=${version}`, context.signal);
      rows = found.sample.rows;
      text(where, `Row ${row + 1} of ${whole(rows)}`);
      result.replaceChildren(...await showCode(found, context, about));
    } catch (error) {
      if (!context.signal.aborted && error.status !== 401) text(message, error.message);
    }
  };
  show(0);
  return panel("Code of a sample", `from its training data, ${about.dataset}`,
    h("div", { class: "row" },
      h("button", { type: "button", onclick: () => show(row - 1) }, "Previous sample"),
      h("button", { type: "button", onclick: () => show(row + 1) }, "Next sample"), where),
    message, h("div", { id: "sample-result" }, result));
}

function tryIt(context, model, version, about) {
  const { height, width } = about.input;
  const result = h("div", { id: "try-result" }, h("p", { class: "muted" }, "Draw something, or choose a picture."));
  const message = h("p", { class: "message", role: "alert" });
  const pad = drawing(width, height);
  const file = h("input", { type: "file", id: "picture", accept: "image/png,image/jpeg" });
  const send = async (body, type) => {
    text(message, "");
    try {
      const found = await post(`/api/models/${enc(model)}/examine?version=${version}`, body, type, context.signal);
      result.replaceChildren(...await showCode(found, context, about));
      announce(`Encoded in ${short(found.compute_ms)} milliseconds.`);
    } catch (error) {
      if (!context.signal.aborted && error.status !== 401) text(message, error.message);
    }
  };
  const bytesOfRow = () => {
    const plane = pad.bytes();
    const all = new Uint8Array(about.input_width);
    for (let at = 0; at < all.length; at += plane.length) all.set(plane.subarray(0, all.length - at), at);
    return all;
  };
  file.addEventListener("change", () => { if (file.files[0]) send(file.files[0], file.files[0].type || "image/png"); });
  return panel("Try it", `a picture of ${whole(width)} × ${whole(height)} pixels, or one that is made so`,
    h("div", { class: "ways" },
      h("div", { class: "stack" },
        h("div", {}, h("label", { for: "pad" }, "Draw"), pad.element),
        h("p", { class: "note small" }, "With keys: arrows move, Space lowers or lifts the pen."),
        h("div", { class: "row" },
          h("button", { type: "button", class: "primary", onclick: () => send(bytesOfRow(), "application/octet-stream") }, "Encode the drawing"),
          h("button", { type: "button", onclick: () => pad.clear() }, "Clear")),
        h("div", {}, h("label", { for: "picture" }, "Or upload a PNG or JPEG"), h("br"), file)),
      h("div", {}, message, result)));
}

// A drawing area with as many pixels as the model's input has.
function drawing(width, height) {
  const element = h("canvas", { class: "draw pixels", id: "pad", width, height, tabindex: "0", role: "application",
    "aria-label": "Drawing area. Arrow keys move, Space lowers or lifts the pen." });
  const context = element.getContext("2d", { willReadFrequently: true });
  const levels = new Float32Array(width * height);
  const radius = Math.max(0.8, Math.min(width, height) / 18);
  let pen = false;
  let at = null;
  let cursor = null;

  function paint() {
    const image = context.createImageData(width, height);
    levels.forEach((level, i) => {
      image.data.fill(level * 255, 4 * i, 4 * i + 3);
      image.data[4 * i + 3] = 255;
    });
    context.putImageData(image, 0, 0);
    if (!cursor) return;
    context.fillStyle = pen ? "#ff8c1a" : "#5fd0c3";
    context.fillRect(Math.floor(cursor.x), Math.floor(cursor.y), 1, 1);
  }
  function dab(x, y) {
    for (let j = Math.floor(y - 3 * radius); j <= y + 3 * radius; ++j) {
      for (let i = Math.floor(x - 3 * radius); i <= x + 3 * radius; ++i) {
        if (i < 0 || j < 0 || i >= width || j >= height) continue;
        const level = Math.max(0, Math.min(1, radius + 0.7 - Math.hypot(i + 0.5 - x, j + 0.5 - y)));
        levels[j * width + i] = Math.max(levels[j * width + i], level);
      }
    }
  }
  function lineTo(to) {
    const from = at || to;
    const steps = Math.ceil(2 * Math.hypot(to.x - from.x, to.y - from.y)) || 1;
    for (let s = 0; s <= steps; ++s) dab(from.x + (to.x - from.x) * s / steps, from.y + (to.y - from.y) * s / steps);
    at = to;
    paint();
  }
  const placeOf = (event) => {
    const box = element.getBoundingClientRect();
    const scale = Math.max(width / box.width, height / box.height);
    return { x: (event.clientX - box.left - box.width / 2) * scale + width / 2,
      y: (event.clientY - box.top - box.height / 2) * scale + height / 2 };
  };
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    at = cursor = null;
    lineTo(placeOf(event));
  });
  element.addEventListener("pointermove", (event) => { if (event.buttons && at) lineTo(placeOf(event)); });
  element.addEventListener("pointerup", () => { at = null; });
  element.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault();
    cursor = cursor || { x: Math.floor(width / 2) + 0.5, y: Math.floor(height / 2) + 0.5 };
    if (!move) {
      pen = !pen;
      at = null;
      announce(pen ? "Pen down" : "Pen up");
    } else {
      cursor = { x: Math.max(0.5, Math.min(width - 0.5, cursor.x + move[0])), y: Math.max(0.5, Math.min(height - 0.5, cursor.y + move[1])) };
    }
    if (pen) lineTo(cursor);
    paint();
  });
  element.addEventListener("blur", () => {
    cursor = null;
    pen = false;
    paint();
  });
  paint();
  return {
    element,
    bytes: () => Uint8Array.from(levels, (level) => Math.round(level * 255)),
    clear() {
      levels.fill(0);
      cursor = null;
      paint();
    },
  };
}

async function showCode(found, context, about) {
  const pictures = h("div", { class: "figures" },
    await figure(found.input, "input, as the encoder sees it"),
    await figure(found.reconstruction, `reconstruction, error ${percent(found.relative_error)}`));
  const took = h("p", { class: "note small" }, `version ${found.version}, ${short(found.compute_ms)} ms of computing`);
  return [pictures, found.maps ? winners(found) : await atoms(found, context), took];
}

function winners(found) {
  const shown = found.maps.slice(0, MOST_SHOWN);
  return h("div", {}, h("h3", {}, `Winners on the maps: the ${shown.length} strongest`),
    h("ul", { class: "thumbs" }, shown.map((map) => h("li", {},
      mapCanvas(map, found.map, `Map ${map.map}, winner ${short(map.value)} at row ${map.y + 1}, column ${map.x + 1}`),
      String(map.map), h("span", { class: "value" }, short(map.value))))),
    shown.length === 0 && h("p", { class: "muted" }, "No map has an activity."));
}

async function atoms(found, context) {
  const shown = found.units.slice(0, MOST_SHOWN);
  const items = shown.map((entry) => {
    const element = canvas(1, 1, `Atom of unit ${entry.unit}`);
    return [element, h("li", {}, element, whole(entry.unit), h("span", { class: "value" }, short(entry.value)))];
  });
  if (shown.length > 0) {
    try {
      const sheet = await unitsPicture(found.model, found.version, shown.map((entry) => entry.unit), shown.length, context.signal);
      const width = sheet.width / shown.length;
      items.forEach(([element], i) => {
        element.width = width;
        element.height = sheet.height;
        drawTile(element, sheet, i, shown.length, width, sheet.height);
      });
    } catch (error) {
      if (context.signal.aborted) throw error;  // else the atoms are listed without pictures
    }
  }
  return h("div", {}, h("h3", {}, `Active atoms: ${shown.length} of ${whole(found.active)}, strongest first`),
    h("ul", { class: "thumbs" }, items.map(([, item]) => item)));
}
