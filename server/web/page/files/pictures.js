// Pictures on canvases.
import { enc, getPicture } from "./api.js";
import { h } from "./dom.js";

export const unitsPicture = (model, version, units, columns, signal) =>
  getPicture(`/api/models/${enc(model)}/units.png?version=${version}&columns=${columns}&units=${units.join(",")}`, signal);

function bytesOf(base64) { return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)); }

export async function decodePicture(picture) {
  return createImageBitmap(new Blob([bytesOf(picture.png)], { type: "image/png" }));
}

// A canvas of the picture's own pixels; the style sheet scales it.
export function canvas(width, height, label) {
  const element = h("canvas", { class: "pixels", width, height, role: "img", "aria-label": label });
  element.getContext("2d").imageSmoothingEnabled = false;
  return element;
}

export async function pictureCanvas(picture, label) {
  const element = canvas(picture.width, picture.height, label);
  element.getContext("2d").drawImage(await decodePicture(picture), 0, 0);
  return element;
}

export async function figure(picture, caption) {
  return h("figure", { class: "figure" }, await pictureCanvas(picture, caption), h("figcaption", {}, caption));
}

// Draws tile `index` of a sheet with `columns` tiles a line into the canvas.
export function drawTile(element, sheet, index, columns, width, height) {
  const context = element.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(sheet, (index % columns) * width, Math.floor(index / columns) * height, width, height, 0, 0, element.width, element.height);
}

// A map of a winner-take-all code: its activities as brightness, and a frame around its winner.
export function mapCanvas(map, extents, label) {
  const zoom = Math.max(4, Math.floor(56 / Math.max(extents.width, extents.height)));
  const element = canvas(extents.width * zoom, extents.height * zoom, label);
  const context = element.getContext("2d");
  const cells = bytesOf(map.cells);
  for (let y = 0; y < extents.height; ++y) {
    for (let x = 0; x < extents.width; ++x) {
      const level = cells[y * extents.width + x];
      context.fillStyle = `rgb(${level},${level},${level})`;
      context.fillRect(x * zoom, y * zoom, zoom, zoom);
    }
  }
  context.strokeStyle = "#ff8c1a";
  context.lineWidth = Math.max(1.5, zoom / 5);
  context.strokeRect(map.x * zoom + 1, map.y * zoom + 1, zoom - 2, zoom - 2);
  return element;
}
