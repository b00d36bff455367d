// The menu of a message. Its … is a link to a page with the menu. The script
// shows the menu of that page in place.

// loadMenu adds the menu behind a … to the page, hidden, and returns it. Without
// an answer it opens the page, and returns nothing.
const loadedMenus = new WeakMap();
async function loadMenu(link) {
  if (!loadedMenus.has(link)) loadedMenus.set(link, readMenu(link));
  const items = await loadedMenus.get(link);
  if (!items) location.assign(link.href);
  return items;
}

async function readMenu(link) {
  try {
    const response = await part(link.href);
    if (!response.ok || response.redirected) return undefined;
    const read = new DOMParser().parseFromString(await response.text(), "text/html");
    const items = read.querySelector(".menu-items");
    items.hidden = true;
    link.after(items);
    enhance(items);
    return items;
  } catch {
    return undefined;
  }
}

// closeMenu closes an open menu of a message, and reports whether one was open.
function closeMenu() {
  const link = document.querySelector("[data-menu][aria-expanded=true]");
  if (!link) return false;
  link.setAttribute("aria-expanded", "false");
  const items = link.parentElement.querySelector(".menu-items");
  const inside = items.contains(document.activeElement);
  items.hidden = true;
  if (inside) link.focus();
  return true;
}

{
  async function open(link) {
    const items = await loadMenu(link);
    if (!items) return;
    closeMenu();
    items.hidden = false;
    link.setAttribute("aria-expanded", "true");
    [...items.querySelectorAll("a, button")].find((item) => item.checkVisibility())?.focus({ preventScroll: true });
    items.scrollIntoView({ block: "nearest" });
  }

  on("click", "[data-menu]", (event, link) => {
    if (!isPlainClick(event)) return;
    event.preventDefault();
    if (link.getAttribute("aria-expanded") === "true") closeMenu();
    else open(link);
  });

  // A click outside, or a step outside by Tab, closes the menu.
  for (const type of ["click", "focusin"]) {
    document.addEventListener(type, (event) => {
      const link = document.querySelector("[data-menu][aria-expanded=true]");
      if (link && !link.parentElement.contains(event.target)) closeMenu();
    });
  }

  enhancers.push((root) => {
    for (const link of root.querySelectorAll("[data-menu]")) link.setAttribute("aria-expanded", "false");
  });
}
