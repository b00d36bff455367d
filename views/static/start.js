// All scripts are one module, app.js. This file comes first, the others follow
// by name. Each keeps its names in a block of its own. Every page works without
// scripts: they save page loads and add keys.

// on calls fn for events on elements that match selector, now or later.
function on(type, selector, fn) {
  document.addEventListener(type, (event) => {
    const found = event.target instanceof Element && event.target.closest(selector);
    if (found) fn(event, found);
  });
}

// enhancers run on the page, and on every part that is added to it later.
const enhancers = [];
function enhance(root) {
  for (const fn of enhancers) fn(root);
}

// isPlainClick says that a click on a link asks for nothing but to follow it:
// no new tab, no new window.
function isPlainClick(event) {
  const withKey = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  return !event.defaultPrevented && event.button === 0 && !withKey;
}

// part asks for the part of a page that a dialog shows.
async function part(url, options = {}) {
  return fetch(url, { ...options, headers: { "X-Partial": "dialog", ...options.headers } });
}

// keepPlace stores the scroll position, and the rows that get the focus when the
// page is there again, the first that exists: after an act in a row the next
// row. With stay it is the row itself, and also in the row that the page is about.
function keepPlace(opener, stay) {
  const row = opener?.closest?.("[data-row]");
  let rows = [];
  if (row) {
    const all = [...document.querySelectorAll("[data-row]")].filter((other) => other.checkVisibility());
    const at = all.indexOf(row);
    rows = stay || row.matches("[data-current]") ? [row] : [all[at + 1], row, all[at - 1]];
  }
  sessionStorage.setItem("place", JSON.stringify({ path: location.pathname, y: scrollY,
    rows: rows.map((other) => other?.id).filter(Boolean) }));
}

// go leads to an address. On the same page it keeps the place, see page.js.
// opener is the element that opened the dialog of an act.
function go(address, opener) {
  const target = new URL(address, location.href);
  if (target.pathname === location.pathname) {
    keepPlace(opener);
    target.hash = "";
  }
  if (target.href === location.href) location.reload();
  else location.assign(target);
}

// say shows a short message where toasts stand.
function say(text) {
  const toasts = document.querySelector(".toasts");
  if (!toasts) return;
  const toast = document.createElement("div");
  toast.className = "toast";
  toast.textContent = text;
  toasts.append(toast);
  setTimeout(() => toast.remove(), 4000);
}

document.addEventListener("DOMContentLoaded", () => enhance(document));
