// Charts in SVG. Colours come from the style sheet, so they follow the scheme.
import { h, svg, text } from "./dom.js";
import { short } from "./format.js";

// Round steps that divide low .. high into about `count` parts.
function ticks(low, high, count) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const result = [];
  for (let t = Math.ceil(low / step) * step; t <= high + step * 1e-6; t += step) result.push(t);
  return result;
}

// Calls draw(width) with the width in pixels that the chart has, now and when that changes, so that text keeps its size.
function fit(root, height, draw) {
  let known = 0;
  new ResizeObserver(() => {
    const width = Math.max(200, Math.round(root.getBoundingClientRect().width));
    if (width === known) return;
    known = width;
    root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    root.setAttribute("height", height);
    draw(width);
  }).observe(root);
}

const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

// The last values of something, as a filled curve without axes.
export function sparkline(label) {
  const height = 96;
  let width = 600;
  let shown = [[], ""];
  const area = svg("path", { class: "area" });
  const curve = svg("path", { class: "curve" });
  const axis = svg("line", { class: "axis", x1: 0, y1: height - 1, y2: height - 1 });
  const top = svg("text", { y: 10, "text-anchor": "end" });
  const root = svg("svg", { class: "chart", role: "img", "aria-label": label }, axis, area, curve, top);
  const draw = () => {
    const [values, unit] = shown;
    const peak = Math.max(0, ...values);
    const all = values.length > 1 ? values : [0, 0];
    const points = all.map((v, i) => [i * width / (all.length - 1), height - 2 - v / Math.max(1, peak) * (height - 18)]);
    axis.setAttribute("x2", width);
    top.setAttribute("x", width);
    curve.setAttribute("d", path(points));
    area.setAttribute("d", `${path(points)}L${width} ${height}L0 ${height}Z`);
    text(top, peak > 0 ? `peak ${short(peak)} ${unit}` : "");
    root.setAttribute("aria-label", `${label}: now ${short(all.at(-1))}, peak ${short(peak)}`);
  };
  fit(root, height, (now) => {
    width = now;
    draw();
  });
  return {
    element: root,
    update(values, unit) {
      shown = [values, unit];
      draw();
    },
  };
}

// Curves over x. series: [{name, values, className, format}]; each has its own scale; the first has the axis. The arrow
// keys and the pointer read values off.
export function lineChart({ label, xName }) {
  const [height, left, right, top, bottom] = [240, 52, 12, 12, 40];
  let width = 640;
  const root = svg("svg", { class: "chart", role: "img", tabindex: "0", "aria-label": label });
  const readout = h("p", { class: "readout small muted", role: "status" });
  const probe = svg("line", { class: "probe", y1: top, y2: height - bottom });
  const dot = svg("circle", { class: "dot", r: 4 });
  let state = null;
  let at = -1;

  const show = (i) => {
    if (!state || state.x.length === 0) return;
    at = Math.max(0, Math.min(state.x.length - 1, i));
    const x = state.px(state.x[at]);
    probe.setAttribute("x1", x);
    probe.setAttribute("x2", x);
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", state.py(state.series[0].values[at]));
    probe.removeAttribute("visibility");
    dot.removeAttribute("visibility");
    text(readout, [`${xName} ${short(state.x[at])}`,
      ...state.series.map((s) => `${s.name} ${(s.format || short)(s.values[at])}`)].join("  ·  "));
  };
  root.addEventListener("pointermove", (event) => {
    if (!state) return;
    const box = root.getBoundingClientRect();
    const px = (event.clientX - box.left) / box.width * width;
    let best = 0;
    state.x.forEach((x, i) => { if (Math.abs(state.px(x) - px) < Math.abs(state.px(state.x[best]) - px)) best = i; });
    show(best);
  });
  root.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
    if (!move || !state) return;
    event.preventDefault();
    show((at < 0 ? state.x.length - 1 : at) + move);
  });

  fit(root, height, (now) => {
    width = now;
    if (state) update(state.x, state.series);
  });

  function update(x, series) {
    const values = series[0].values.filter(Number.isFinite);
    if (values.length === 0) return;
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const pad = (high - low || Math.abs(high) || 1) * 0.06;
    const [bottomValue, topValue] = [low >= 0 ? Math.max(0, low - pad) : low - pad, high + pad];
    const lastX = Math.max(x.at(-1), 1e-9);
    const px = (v) => left + v / lastX * (width - left - right);
    const py = (v) => height - bottom - (v - bottomValue) / (topValue - bottomValue) * (height - top - bottom);
    root.replaceChildren();
    for (const t of ticks(bottomValue, topValue, 4)) {
      root.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: py(t), y2: py(t) }),
        svg("text", { x: left - 8, y: py(t) + 4, "text-anchor": "end" }, short(t)));
    }
    for (const t of ticks(0, lastX, Math.max(2, Math.min(8, width / 90)))) {
      root.append(svg("text", { x: px(t), y: height - bottom + 17, "text-anchor": "middle" }, short(t)));
    }
    root.append(svg("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
      svg("text", { x: width - right, y: height - 4, "text-anchor": "end" }, xName));
    series.slice(1).filter((s) => s.className).forEach((s) => {
      const most = Math.max(...s.values, 1e-9);
      root.append(svg("path", { class: `curve ${s.className}`,
        d: path(s.values.map((v, i) => [px(x[i]), height - bottom - v / most * (height - top - bottom) * 0.92])) }));
    });
    root.append(svg("path", { class: "curve", d: path(x.map((v, i) => [px(v), py(series[0].values[i])]).filter(([, y]) => Number.isFinite(y))) }));
    root.append(probe, dot);
    const follows = at < 0 || (state && at >= state.x.length - 1);
    state = { x: [...x], series, px, py };
    root.setAttribute("aria-label", `${label}: ${series[0].name} from ${short(series[0].values[0])} to ${short(series[0].values.at(-1))}. Use the arrow keys to read values.`);
    show(follows ? x.length - 1 : at);
  }
  return { element: h("div", {}, root, readout), update };
}

// Bars of counts. bars: [{count, label, name, dim}]; `label` stands below the axis, `name` in the tooltip. With `log`
// the heights are logarithms, as in figure 4 of the k-sparse paper.
export function barChart({ label, bars, xName, yName, log = false }) {
  const [height, left, right, top, bottom] = [220, 52, 12, 22, 44];
  const root = svg("svg", { class: "chart", role: "img", "aria-label": label });
  const most = Math.max(1, ...bars.map((b) => b.count));
  const scale = (n) => (log ? Math.log10(n + 1) / Math.log10(most + 1) : n / most) * (height - top - bottom);
  const marks = log ? [...Array(Math.floor(Math.log10(most)) + 1).keys()].map((i) => 10 ** i) : ticks(0, most, 3);
  fit(root, height, (width) => {
    root.replaceChildren();
    for (const t of marks) {
      const y = height - bottom - scale(t);
      root.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y, y2: y }),
        svg("text", { x: left - 8, y: y + 4, "text-anchor": "end" }, short(t)));
    }
    const step = (width - left - right) / bars.length;
    bars.forEach((bar, i) => {
      const x = left + i * step;
      const tall = bar.count > 0 ? Math.max(2, scale(bar.count)) : 0;
      root.append(svg("rect", { class: bar.dim ? "stick dim" : "stick", x: x + step * 0.08, y: height - bottom - tall, width: step * 0.84, height: tall, rx: 1.5 },
        svg("title", {}, `${bar.name}: ${short(bar.count)}`)));
      if (bar.label) {
        root.append(svg("text", { x: bar.edge ? x : x + step / 2, y: height - bottom + 17, "text-anchor": "middle" }, bar.label));
      }
    });
    root.append(svg("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
      svg("text", { x: width - right, y: height - 6, "text-anchor": "end" }, xName),
      svg("text", { x: 0, y: 11 }, yName));
  });
  return root;
}
