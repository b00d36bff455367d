// All scripts are one module, app.js, in which this file comes first and the
// others follow by name; each keeps its names in a block of its own. The pages
// work without any of it: scripts spare page loads and add keys.

// on calls fn for events on whatever matches selector, now or later.
function on(type, selector, fn) {
  document.addEventListener(type, (event) => {
    const found = event.target instanceof Element && event.target.closest(selector);
    if (found) fn(event, found);
  });
}

// enhancers run on the page, and on every part that is put into it later.
const enhancers = [];
function enhance(root) {
  for (const fn of enhancers) fn(root);
}

// part asks for the part of a page that a dialog shows.
async function part(url, options = {}) {
  return fetch(url, { ...options, headers: { "X-Partial": "dialog", ...options.headers } });
}

// go leads to an address; on the same page the eye finds its place again.
function go(address) {
  const target = new URL(address, location.href);
  if (target.pathname === location.pathname) {
    sessionStorage.setItem("place", JSON.stringify({ path: target.pathname, y: scrollY }));
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
