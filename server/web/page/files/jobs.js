// Training jobs: the list, and one job as it trains.
import { enc, get, listen, post } from "./api.js";
import { lineChart } from "./charts.js";
import { announce, empty, facts, failure, h, keyed, panel, pill, setPill, text } from "./dom.js";
import { ago, clock, duration, percent, short, whole } from "./format.js";

const LIVE = ["queued", "running"];
const REFRESH_MS = 1500;

export function jobTable() {
  const body = h("tbody");
  const element = h("div", { class: "scroll jobs" }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Job"), h("th", { scope: "col" }, "State"),
      h("th", { scope: "col" }, "Progress"), h("th", { scope: "col", class: "number" }, "Loss"),
      h("th", { scope: "col", class: "number wide" }, "Images/s"), h("th", { scope: "col", class: "number wide" }, "Dead units"))),
    body));
  const update = (jobs) => keyed(body, jobs, (job) => job.id, newRow, fillRow);
  return { element, update };
}

function newRow(job) {
  return h("tr", {},
    h("td", {}, h("a", { href: `#/jobs/${enc(job.id)}` }, job.model), h("small", { class: "wide" }, job.id)),
    h("td", {}, pill(job.state)), h("td", {}, h("progress", { max: 1, value: 0, "aria-label": `Progress of ${job.id}` }), h("small")),
    h("td", { class: "number" }), h("td", { class: "number wide" }), h("td", { class: "number wide" }));
}

function fillRow(row, job) {
  const [, state, bar, loss, rate, dead] = row.children;
  const p = job.progress;
  setPill(state.firstChild, job.state);
  bar.firstChild.value = job.state === "succeeded" ? 1 : p?.fraction || 0;
  text(bar.lastChild, progressText(job));
  text(loss, p ? short(p.loss) : "–");
  text(rate, p ? whole(p.images_per_second) : "–");
  text(dead, p && p.dead_window_rows ? `${whole(p.dead_units)} of ${whole(p.units)}` : "–");
}

// Whether other programs take more than half of the time that the trainer's threads want.
function slowed(p) {
  return p.processor_share !== null && p.processor_share < 0.5;
}

function progressText(job) {
  const p = job.progress;
  if (job.state === "queued") return `waits since ${ago(job.created).replace(" ago", "")}`;
  if (job.state === "running" && p) return `epoch ${p.epochs_done} of ${p.epochs}, ${duration(p.eta_seconds)} left`;
  if (job.finished) return `${ago(job.finished)}${job.started ? `, took ${duration(job.finished - job.started)}` : ""}`;
  return "starts";
}

// Keeps a table of the latest jobs in `element` up to date until the view is left. `instead` may return an element to
// show in place of the table.
export async function keepJobs(element, context, limit, instead) {
  const table = jobTable();
  const refresh = async () => {
    const { jobs } = await get(`/api/jobs?limit=${limit}`, context.signal);
    const other = instead(jobs);
    if (other) element.replaceChildren(other);
    else if (table.element.parentNode !== element) element.replaceChildren(table.element);
    table.update(jobs);
  };
  const loop = async () => {
    if (context.signal.aborted) return;
    try { if (!document.hidden) await refresh(); } catch (error) {
      if (context.signal.aborted || error.status === 401 || error.status === 403) return;
    }
    setTimeout(loop, REFRESH_MS);
  };
  try { await refresh(); } catch (error) {
    if (context.signal.aborted || error.status === 401) return;
    element.replaceChildren(error.status === 403 ? h("p", { class: "note" }, `Jobs are not shown: ${error.message}`) : failure(error));
    if (error.status === 403) return;
  }
  setTimeout(loop, REFRESH_MS);
}

export async function showList(main, context) {
  const list = h("div", {}, h("p", { class: "muted" }, "Loading…"));
  main.append(h("h1", { tabindex: "-1" }, "Jobs"), panel("Training jobs", "newest first", list));
  await keepJobs(list, context, 200, (jobs) => (jobs.length > 0 ? null
    : empty("No job yet. Submit one with the command line:", "kwta train --model first --data fashion-mnist --watch")));
}

export async function showJob(main, context, id) {
  const { job, curve } = await get(`/api/jobs/${enc(id)}`, context.signal);
  const state = pill(job.state);
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const barText = h("p", { class: "small muted" });
  const cancel = h("button", { type: "button", class: "danger" }, "Cancel the job");
  const message = h("p", { class: "message", role: "alert" });
  const outcome = h("div", { role: "status" });
  const grid = h("dl", { class: "tiles" });
  const chart = lineChart({ label: "Loss by epoch", xName: "epoch" });
  const kChart = lineChart({ label: "Activities kept by epoch", xName: "epoch" });
  const deadChart = lineChart({ label: "Dead units by epoch", xName: "epoch" });
  const note = h("div");
  main.append(
    h("div", { class: "row spread" }, h("h1", { tabindex: "-1" }, job.model), state),
    h("p", { class: "muted mono small" }, job.id), outcome, message,
    h("section", { class: "panel", "aria-label": "Progress" }, bar, h("div", { class: "row spread actions-below" }, barText, cancel)),
    grid,
    panel("Loss", "mean squared error of a row, summed over its elements", chart.element, note),
    h("div", { class: "two" },
      panel("k", "activities that a row keeps: falls, then stays", kChart.element),
      panel("Dead units", "in no code of the last epoch", deadChart.element)),
    panel("What it trains", "", facts([
      ["Encoder", job.summary], ["Data", job.dataset], job.base && ["On top of", job.base],
      ["Submitted", clock(job.created)], ["Attempts", String(job.attempts)]])));

  const draw = () => {
    if (curve.epochs.length === 0) return;
    const count = { name: "k", values: curve.k, format: whole };
    const dead = { name: "dead units", values: curve.dead_units, format: whole };
    chart.update(curve.epochs, [{ name: "loss", values: curve.loss }, count, dead]);
    kChart.update(curve.epochs, [count]);
    deadChart.update(curve.epochs, [dead]);
  };
  const fill = () => {
    const p = job.progress;
    setPill(state, job.state);
    bar.value = job.state === "succeeded" ? 1 : p?.fraction || 0;
    text(barText, progressText(job));
    cancel.hidden = !LIVE.includes(job.state);
    keyed(grid, p ? [
      ["Loss", short(p.loss), p.fraction_variance_unexplained ? `${percent(p.fraction_variance_unexplained)} of variance unexplained` : ""],
      ["k", p.k ? whole(p.k) : "–", job.encoder === "winner-take-all" ? "winners of a row"
        : p.k === p.units ? "every activity of a row" : "activities of a row"],
      ["Dead units", p.dead_window_rows ? whole(p.dead_units) : "–", p.units ? `of ${whole(p.units)}` : ""],
      ["Speed", whole(p.images_per_second), slowed(p) ? `images/s, running on ${percent(p.processor_share)} of ${p.threads} threads` : "images/s"],
      ["Learning rate", short(p.learning_rate), ""],
    ] : [], ([name]) => name, ([name]) => h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, h("span"), h("small"))),
    (element, [, value, small]) => {
      text(element.querySelector("span"), value);
      text(element.querySelector("small"), small);
    });
    const warnings = p?.warnings || [];
    note.replaceChildren(...warnings.map((warning) => h("p", { class: "banner" }, warning)));
    outcome.replaceChildren();
    if (job.error) outcome.append(h("p", { class: "banner bad" }, `${job.error.code}: ${job.error.message}`));
    if (job.model_version) {
      outcome.append(h("p", {}, h("a", { class: "button", href: `#/models/${enc(job.model)}/${job.model_version}` },
        `Look at version ${job.model_version}`)));
    }
  };
  if (curve.epochs.length === 0) note.append(h("p", { class: "muted" }, "The curve begins with the first report."));
  fill();
  draw();

  cancel.addEventListener("click", async () => {
    cancel.disabled = true;
    text(message, "");
    try {
      Object.assign(job, await post(`/api/jobs/${enc(id)}/cancel`));
      fill();
      announce("The job was cancelled.");
    } catch (error) {
      text(message, `Not cancelled: ${error.message}`);
    }
    cancel.disabled = false;
  });
  if (!LIVE.includes(job.state)) return;

  let said = -1;
  const onEvent = (name, event) => {
    const before = job.state;
    job.state = event.state;
    if (event.error) job.error = event.error;
    if (event.model_version) job.model_version = event.model_version;
    if (event.progress) {
      const p = event.progress;
      job.progress = p;
      curve.epochs.push(p.fraction * p.epochs);
      curve.loss.push(p.loss);
      curve.k.push(p.k);
      curve.dead_units.push(p.dead_units);
      const quarter = Math.floor(p.fraction * 4);
      if (quarter !== said) announce(`${Math.round(p.fraction * 100)}% done, loss ${short(p.loss)}`);
      said = quarter;
    }
    if (event.state === "running" && !job.started) job.started = event.time;
    if (!LIVE.includes(event.state)) job.finished = event.time;
    if (before !== event.state) announce(`The job is ${event.state}.`);
    fill();
    draw();
    return LIVE.includes(event.state) ? "" : "end";
  };
  listen(`/api/jobs/${enc(id)}/events?after=${job.last_sequence}`, onEvent, context.signal)
    .catch((error) => { if (error.status !== 401) text(message, error.message); });
}

