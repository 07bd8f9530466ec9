// The JSON API, with the token that the user has given, and streams of events.
// Server-sent events are read through fetch, because EventSource cannot send the header.

const KEY = "kwta-token";

export const token = {
  get() { return sessionStorage.getItem(KEY) || ""; },
  set(text) { sessionStorage.setItem(KEY, text); },
  forget() { sessionStorage.removeItem(KEY); },
};

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let onUnauthorised = () => {};
export function whenUnauthorised(callback) { onUnauthorised = callback; }

async function request(path, options = {}) {
  const headers = { ...options.headers };
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer.");
  }
  if (response.ok) return response;
  let message = `The server answered ${response.status}.`;
  try { message = (await response.json()).error || message; } catch { /* the answer is not JSON */ }
  if (response.status === 401) onUnauthorised(message);
  throw new ApiError(response.status, message);
}

export async function get(path, signal) { return (await request(path, { signal })).json(); }

export async function getPicture(path, signal) {
  return createImageBitmap(await (await request(path, { signal })).blob());
}

export async function post(path, body, type, signal) {
  const headers = type ? { "Content-Type": type } : {};
  return (await request(path, { method: "POST", body, headers, signal })).json();
}

// Calls handler(name, data, id) for each event until the signal aborts or the server ends the stream. Connects again
// after a pause, and then asks for what came after the last event. `onState` is told true or false when the stream
// works or not.
export async function listen(path, handler, signal, onState = () => {}) {
  let last = "";
  for (let pause = 500; !signal.aborted; pause = Math.min(2 * pause, 8000)) {
    try {
      const headers = last ? { "Last-Event-ID": last } : {};
      const response = await request(path, { signal, headers });
      onState(true);
      pause = 500;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          const event = parse(block);
          if (event.id) last = event.id;
          if (event.data && handler(event.name, JSON.parse(event.data), event.id) === "end") return;
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status && error.status < 500 && error.status !== 429) throw error;
    }
    onState(false);
    await new Promise((resolve) => { setTimeout(resolve, pause); });
  }
}

function parse(block) {
  const event = { name: "message", data: "", id: "" };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    const field = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") event.name = value;
    if (field === "id") event.id = value;
    if (field === "data") event.data += value;
  }
  return event;
}

export const enc = encodeURIComponent;
