// Models: the list, and one model with its units, use, versions and codes.
import { enc, get, post } from "./api.js";
import { barChart } from "./charts.js";
import { announce, empty, facts, failure, h, panel, pill, text } from "./dom.js";
import { examinations } from "./examine.js";
import { ago, bytes, clock, duration, percent, plural, short, whole } from "./format.js";
import { mosaic } from "./mosaic.js";
import { showModels } from "./overview.js";

export async function showList(main, context) {
  const list = h("div", {}, h("p", { class: "muted" }, "Loading…"));
  main.append(h("h1", { tabindex: "-1" }, "Models"), panel("Served models", "with their first nine filters", list));
  await showModels(list, context.signal, 1000);
}

export async function showModel(main, context, name, asked) {
  const model = await get(`/api/models/${enc(name)}`, context.signal);
  const wanted = Number(asked) || model.serving_version;
  const version = model.versions.find((v) => v.version === wanted) || model.versions[0];
  const about = version?.description;
  main.append(h("div", { class: "row spread" }, h("h1", { tabindex: "-1" }, model.name), version && versionChoice(model, version)));
  for (const problem of model.problems) main.append(h("p", { class: "banner" }, `Set aside: ${problem}`));
  if (!version) {
    main.append(empty("No version can be used."));
    return;
  }
  if (version.failure) main.append(h("p", { class: "banner bad" }, `${version.failure.code}: ${version.failure.message}`));
  if (about) main.append(description(version, about));
  const usable = about && (version.state === "ready" || version.state === "evicted");
  if (usable) {
    const units = h("div");
    const use = h("div", { class: "two" });
    const codes = h("div");
    main.append(units, use, codes);
    main.append(versions(model, context));
    await Promise.all([
      mosaic(units, context, name, version.version, about).catch(shown(units, context)),
      histograms(use, context, name, version.version, about).catch(shown(use, context)),
      examinations(codes, context, name, version.version, about).catch(shown(codes, context))]);
    return;
  }
  main.append(versions(model, context));
}

const shown = (element, context) => (error) => {
  if (!context.signal.aborted && error.status !== 401) element.append(failure(error));
};

function versionChoice(model, version) {
  const select = h("select", { id: "version", onchange: () => { location.hash = `#/models/${enc(model.name)}/${select.value}`; } },
    model.versions.map((v) => h("option", { value: v.version, selected: v === version },
      `${v.version}${v.version === model.serving_version ? " (serves)" : ""}`)));
  return h("div", { class: "row" }, h("label", { for: "version" }, "Version"), select);
}

function description(version, about) {
  const t = about.training;
  return panel("About", `trained ${ago(about.created)}`, facts([
    ["Encoder", about.summary + (about.fine_tuned ? ", fine-tuned" : "")],
    [about.unit_kind === "map" ? "Maps" : "Units", whole(about.units)],
    about.k && ["k", `${whole(about.k)} (${percent(about.k / about.units)} of the units)`],
    about.map && ["Pooled map", `${about.map.height} × ${about.map.width}`],
    ["Input", `${about.input.channels} × ${about.input.height} × ${about.input.width}`],
    ["Parameters", bytes(version.parameter_bytes)],
    ["Trained on", `${about.dataset}, ${plural(t.rows, "row")}, ${plural(t.epochs, "epoch")}`],
    ["Loss", `${short(t.loss)}${t.fraction_variance_unexplained ? ` (${percent(t.fraction_variance_unexplained)} unexplained)` : ""}`],
    t.activity_window_rows && ["Activation fraction", `${percent(t.activation_fraction)} over ${plural(t.activity_window_rows, "row")}`],
    !about.fine_tuned && ["Dead units", `${whole(t.dead_units)} over ${plural(t.dead_window_rows, "row")}`],
    ["Training", `${duration(t.seconds)}, ${whole(t.images_per_second)} images/s`],
    ["Job", h("a", { href: `#/jobs/${enc(about.job)}` }, about.job)]]));
}

const sourceText = (source, about) => (source.kind === "live"
  ? `over the last ${plural(source.rows, "live row")}` : `over ${plural(source.rows, "row")} of its training data (${about.dataset})`);

async function histograms(element, context, name, version, about) {
  const data = await get(`/api/models/${enc(name)}/activity?version=${version}`, context.signal);
  const kind = about.unit_kind;
  const made = [];
  if (data.frequency) {
    const { bounds, counts, never, source } = data.frequency;
    const bars = [{ count: never, label: "never", name: "in no code", dim: true },
      ...counts.map((count, i) => ({ count, name: `${percent(bounds[i])} to ${percent(bounds[i + 1])}`, edge: true,
        label: i % 4 === 0 && i > 0 ? percent(bounds[i]) : "" }))];
    made.push(panel(`How often ${kind}s are used`, sourceText(source, about),
      barChart({ label: `Number of ${kind}s by how often they are active. ${whole(never)} of ${whole(data.units)} never.`,
        bars, xName: kind === "map" ? "share of its positions" : "share of the rows", yName: `${kind}s` }),
      h("p", { class: "note" }, `A row activates ${percent(data.active_fraction)} on average. `,
        `${whole(never)} of ${plural(data.units, kind)} ${never === 1 ? "was" : "were"} in no code. `,
        data.unexplained.live ? `Of the live rows, ${percent(data.unexplained.live)} of the variance stays unexplained; in training it was ${percent(data.unexplained.training)}.` : "")));
  }
  if (data.activities && data.activities.counts.length > 0) {
    const { low, width, counts, source } = data.activities;
    const bars = counts.map((count, i) => ({ count, name: `${short(low + i * width)} to ${short(low + (i + 1) * width)}`, edge: true,
      label: i % 8 === 0 ? short(low + i * width) : "" }));
    made.push(panel("Activities", sourceText(source, about),
      barChart({ label: "Number of activities that are not zero by their size, logarithmic", bars, xName: "activity", yName: "count, log", log: true }),
      h("p", { class: "note" }, "As in figure 4 of “k-Sparse Autoencoders”: how large the activities are that are not zero.")));
  }
  if (data.problem) made.push(panel("Activities", "", h("p", { class: "note" }, `Rows of its training data cannot be read here: ${data.problem}`)));
  element.replaceChildren(...made);
}

function versions(model, context) {
  const message = h("p", { class: "message", role: "alert" });
  const button = h("button", { type: "button" }, "Roll back stable");
  const table = h("div", { class: "scroll" });
  const fill = (now) => table.replaceChildren(h("table", {},
    h("thead", {}, h("tr", {}, ["Version", "State", "Labels", "Loss", "Made"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, now.versions.map((v) => h("tr", { "data-version": v.version },
      h("td", {}, h("a", { href: `#/models/${enc(now.name)}/${v.version}` }, String(v.version))), h("td", {}, pill(v.state)),
      h("td", {}, h("span", { class: "row" }, v.labels.map((label) => {
        const mark = pill(label);
        mark.classList.add("plain");
        return mark;
      }))),
      h("td", {}, v.description ? short(v.description.training.loss) : "–"),
      h("td", {}, v.description ? h("span", { title: clock(v.description.created) }, ago(v.description.created)) : "–"))))));
  fill(model);
  button.addEventListener("click", async () => {
    button.disabled = true;
    text(message, "");
    try {
      const now = await post(`/api/models/${enc(model.name)}/rollback`, undefined, undefined, context.signal);
      fill(now);
      announce(`Stable is version ${now.serving_version} now.`);
    } catch (error) {
      text(message, `Not rolled back: ${error.message}`);
    }
    button.disabled = false;
  });
  return panel("Versions and labels", "Encode uses what stable names", table, h("div", { class: "row actions" }, button), message);
}
