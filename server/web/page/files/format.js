// Numbers and times for people.

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const whole = (n) => grouped.format(n);

// Three significant digits: 0.0123, 1.23, 12.3, 123, 1,235, 2.3e+58.
export function short(n) {
  if (!Number.isFinite(n)) return "–";
  const size = Math.abs(n);
  if (size === 0) return "0";
  if (size >= 1e15) return n.toExponential(1);
  if (size >= 100) return whole(n);
  if (size < 1e-4) return n.toExponential(1);
  return String(Number(n.toPrecision(3)));
}

export function compact(n) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (Math.abs(n) >= size) return `${short(n / (unit === "k" ? 1e3 : size))}${unit}`;
  }
  return whole(n);
}

export const percent = (share) => (share > 0 && share < 0.0001 ? "<0.01%" : `${short(share * 100)}%`);

export function bytes(n) {
  for (const [size, unit] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (n >= size) return `${short(n / size)} ${unit}`;
  }
  return `${n} B`;
}

export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export function ago(time) {
  if (!time) return "–";
  const s = Date.now() / 1000 - time;
  return s < 5 ? "just now" : `${duration(s).split(" ").slice(0, 2).join(" ")} ago`;
}

export const clock = (time) => (time ? new Date(time * 1000).toLocaleString() : "");

export const plural = (n, one, many = `${one}s`) => `${whole(n)} ${n === 1 ? one : many}`;
