// The frame of the page: which view is shown, the token, and the state of the server.
import { ApiError, get, listen, token, whenUnauthorised } from "./api.js";
import { announce, failure, setPill, text } from "./dom.js";
import * as jobs from "./jobs.js";
import * as overview from "./overview.js";

const main = document.getElementById("main");
const health = document.getElementById("health");
let leave = new AbortController();  // ends what the view that is shown has started
let feed = null;                    // ends the stream of overviews
let latest = null;
const listeners = new Set();

// Views are functions (main, context, ...names) that fill `main`. context.signal aborts when the view is left;
// context.onOverview(f) calls f with each overview from then on.
const views = [
  [/^#?\/?$/, "overview", "Overview", overview.show],
  [/^#\/jobs$/, "jobs", "Jobs", jobs.showList],
  [/^#\/jobs\/([^/]+)$/, "jobs", "Job", jobs.showJob],
  [/^#\/models$/, "models", "Models", async (...rest) => (await import("./models.js")).showList(...rest)],
  [/^#\/models\/([^/]+)(?:\/(\d+))?$/, "models", "Model", async (...rest) => (await import("./models.js")).showModel(...rest)],
];

async function route() {
  leave.abort();
  leave = new AbortController();
  listeners.clear();
  const { signal } = leave;
  const found = views.map(([pattern, ...view]) => [pattern.exec(location.hash), ...view]).find(([match]) => match);
  const [match, nav, title, show] = found || [[], "", "Not found", async () => { throw new ApiError(404, "There is no such page."); }];
  for (const link of document.querySelectorAll("[data-nav]")) {
    if (link.dataset.nav === nav) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const names = match.slice(1).map((name) => (name === undefined ? "" : decodeURIComponent(name)));
  document.title = `${names[0] || title} – kwta`;
  main.replaceChildren();
  const context = {
    signal,
    onOverview(listener) {
      listeners.add(listener);
      if (latest) listener(latest);
    },
  };
  try {
    await show(main, context, ...names);
    if (signal.aborted) return;
  } catch (error) {
    if (signal.aborted || error.status === 401) return;
    main.append(failure(error));
  }
  if (route.moved) main.querySelector("h1")?.focus({ preventScroll: true });
  route.moved = true;
}

function showOverview(data) {
  latest = data;
  if (data.draining) setPill(health, "draining");
  else if (data.waiting_for_store) setPill(health, "trouble", "jobs wait");
  else setPill(health, "ready");
  for (const listener of listeners) listener(data);
}

function follow() {
  feed?.abort();
  feed = new AbortController();
  listen("/api/events", (name, data) => { if (name === "overview") showOverview(data); }, feed.signal,
    (works) => { if (!works) setPill(health, "offline", "no answer"); }).catch(() => {});
}

function askForToken(message) {
  document.documentElement.dataset.access = "token";
  setPill(health, "wait", "token needed");
  feed?.abort();
  document.getElementById("token-forget").hidden = !token.get();
  text(document.getElementById("token-message"), token.get() ? message : "");
  document.getElementById("token").focus();
}

async function start() {
  try {
    showOverview(await get("/api/overview"));
  } catch (error) {
    if (error.status === 401) return;
    setPill(health, "offline", "no answer");
  }
  document.documentElement.dataset.access = "open";
  follow();
  await route();
}

whenUnauthorised(askForToken);
document.getElementById("token-button").addEventListener("click", () => {
  const open = document.documentElement.dataset.access === "token";
  if (open && latest) { document.documentElement.dataset.access = "open"; return; }
  document.documentElement.dataset.access = "token";
  text(document.getElementById("signin-title"), latest ? "Access token" : "This server asks for a token");
  document.getElementById("token-forget").hidden = !token.get();
  document.getElementById("token").focus();
});
document.getElementById("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = document.getElementById("token");
  token.set(field.value.trim());
  field.value = "";
  text(document.getElementById("token-message"), "");
  await start();
  if (document.documentElement.dataset.access === "open") announce("Signed in.");
});
document.getElementById("token-forget").addEventListener("click", () => {
  token.forget();
  latest = null;
  start();
});
addEventListener("hashchange", () => {
  if (latest) document.documentElement.dataset.access = "open";
  route();
});
start();
