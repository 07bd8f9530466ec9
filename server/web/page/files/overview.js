// The first page: how the server is, what waits, the latest jobs, the models.
import { enc, get } from "./api.js";
import { sparkline } from "./charts.js";
import { empty, failure, h, keyed, panel, text } from "./dom.js";
import { ago, bytes, compact, duration, plural, whole } from "./format.js";
import { keepJobs } from "./jobs.js";
import { drawTile, unitsPicture } from "./pictures.js";

const TRAIN = "kwta train --model first --data fashion-mnist --watch";

function tiles(data) {
  const waits = data.waiting_for_store;
  return [
    { name: "Health", value: data.draining ? "draining" : "ready", note: `up ${duration(Date.now() / 1000 - data.started)}`, warn: data.draining },
    { name: "Version", value: data.version, note: `${data.backend}, ${plural(data.threads, "thread")}` },
    { name: "Encoded", value: `${compact(data.rows_encoded)} ${data.rows_encoded === 1 ? "row" : "rows"}`, note: plural(data.encode_requests, "request") },
    { name: "Queue", value: `${whole(data.queue.rows)} rows`, note: data.queue.rows ? `${bytes(data.queue.bytes)} wait` : "nothing waits" },
    { name: "In flight", value: plural(data.calls_in_flight, "call"), note: "being served now" },
    refusedTile(data.refused),
    { name: "Jobs", value: `${data.jobs.running} running`, note: `${data.jobs.queued} queued, ${whole(data.jobs.failed)} failed` },
    { name: "Job store", value: waits ? "waits" : "writes", note: waits ? "see above" : "no job waits for it", warn: Boolean(waits) },
  ];
}

// Calls and connections that the server refused since it started, and the reasons of the most.
function refusedTile({ calls, connections }) {
  const sum = (counts) => Object.values(counts).reduce((all, count) => all + count, 0);
  const reasons = Object.entries({ ...calls, ...connections }).sort((a, b) => b[1] - a[1]).slice(0, 3)
    .map(([reason, count]) => `${reason.replaceAll("_", " ")} ${compact(count)}`);
  const notes = [sum(connections) > 0 && plural(sum(connections), "connection"), ...reasons];
  return { name: "Refused", value: plural(sum(calls), "call"), note: notes.filter(Boolean).join(", ") || "no connection" };
}

export async function show(main, context) {
  const rate = h("p", { class: "big" }, "–");
  const spark = sparkline("Rows encoded per second, last five minutes");
  const store = h("p", { class: "banner", role: "status", hidden: true });
  const grid = h("dl", { class: "tiles four" });
  const jobs = h("div");
  const models = h("div", {}, h("p", { class: "muted" }, "Loading…"));
  main.append(
    h("h1", { tabindex: "-1" }, "Overview"),
    store,
    panel("Throughput", "rows encoded per second, last 5 minutes", h("div", { class: "hero" },
      h("div", {}, rate, h("span", { class: "muted" }, "rows/s")), spark.element)),
    grid,
    panel("Latest jobs", h("a", { href: "#/jobs" }, "All jobs"), jobs),
    panel("Models", h("a", { href: "#/models" }, "All models"), models));

  let known = null;  // what was listed: the lists are read again when the counts change
  context.onOverview((data) => {
    text(rate, compact(data.rows_per_second.at(-1) || 0));
    spark.update(data.rows_per_second, "rows/s");
    store.hidden = !data.waiting_for_store;
    text(store, `Jobs wait for the store: ${data.waiting_for_store}`);
    keyed(grid, tiles(data), (tile) => tile.name,
      (tile) => h("div", { class: "tile" }, h("dt", {}, tile.name), h("dd", {}, h("span"), h("small"))),
      (element, tile) => {
        element.dataset.level = tile.warn ? "warn" : "";
        text(element.querySelector("span"), tile.value);
        text(element.querySelector("small"), tile.note);
      });
    const now = JSON.stringify([data.models, data.jobs.succeeded]);
    if (known !== now) showModels(models, context.signal);
    known = now;
  });
  await keepJobs(jobs, context, 5, (list) => (list.length > 0 ? null : empty("No job yet. Train a first model:", TRAIN)));
}

export async function showModels(element, signal, most = 6) {
  try {
    const { models } = await get("/api/models", signal);
    if (models.length === 0) {
      element.replaceChildren(empty("No model yet. A job that ends publishes one:", TRAIN));
      return;
    }
    const cards = models.slice(0, most).map((model) => [model, card(model)]);
    element.replaceChildren(h("ul", { class: "cards" }, cards.map(([, item]) => h("li", {}, item))));
    await Promise.all(cards.map(([model, item]) => drawCard(model, item.querySelector("canvas"), signal)));
  } catch (error) {
    if (!signal.aborted && error.status !== 401) element.replaceChildren(failure(error));
  }
}

function card(model) {
  const about = model.description;
  return h("a", { class: "card", href: `#/models/${enc(model.name)}` },
    h("canvas", { class: "pixels", width: 84, height: 84, "aria-hidden": "true" }),
    h("span", {}, h("strong", {}, model.name),
      about ? h("span", {}, about.summary, h("br"), plural(about.units, about.unit_kind), h("br"),
        h("span", { class: "muted" }, `version ${model.serving_version}, ${ago(about.created)}`))
        : h("span", { class: "muted" }, model.problems[0] || "no version serves")));
}

// The first nine filters, as the model's face: the most used ones would cost the server a look at the training data.
async function drawCard(model, element, signal) {
  if (!model.description) return;
  try {
    const units = [...Array(Math.min(9, model.description.units)).keys()];
    const sheet = await unitsPicture(model.name, model.serving_version, units, 3, signal);
    drawTile(element, sheet, 0, 1, sheet.width, sheet.height);
  } catch { /* the card stays without a picture */ }
}
