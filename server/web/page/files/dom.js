// Builds elements. Text is always set as text, never as markup, so names and messages need no escaping.

// h("p", {class: "note", onclick: f}, "text", child, [children])
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  setAll(element, attributes);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAll(element, attributes);
  element.append(...children);
  return element;
}

function setAll(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
}

// Sets the text only if it differs, so that live parts of the page do not lose focus or selection.
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

// Makes the children of `parent` those of `items`, in order, and keeps the element of an item that was there before.
export function keyed(parent, items, keyOf, create, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, i) => {
    const key = String(keyOf(item));
    let child = old.get(key);
    if (!child) {
      child = create(item);
      child.dataset.key = key;
    }
    old.delete(key);
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] || null);
    update(child, item);
  });
  for (const child of old.values()) child.remove();
}

export function panel(title, note, ...content) {
  return h("section", { class: "panel" },
    h("header", {}, h("h2", {}, title), note && h("p", { class: "note" }, note)), ...content);
}

export function facts(entries) {
  return h("dl", { class: "facts" }, entries.filter(Boolean).map(([name, value]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

export function pill(state, label = state) { return h("span", { class: "pill", "data-state": state }, label); }

export function setPill(element, state, label = state) {
  element.dataset.state = state;
  text(element, label);
}

export function empty(what, ...commands) {
  return h("div", { class: "empty" }, h("p", {}, what),
    commands.length > 0 && h("pre", {}, h("code", {}, commands.join("\n"))));
}

export function failure(error) { return h("p", { class: "banner bad", role: "alert" }, error.message); }

// Says something to screen readers.
export function announce(message) { text(document.getElementById("announcer"), message); }
