// The behaviour that all pages share: the scroll position after an act, toasts,
// the theme, menus, copying.
{
  // A toast shows once: its number leaves the address, so that a reload or a
  // bookmark does not show it again.
  const address = new URL(location.href);
  if (address.searchParams.has("done") || address.searchParams.has("notice")) {
    address.searchParams.delete("done");
    address.searchParams.delete("notice");
    history.replaceState(history.state, "", address);
  }
  const place = JSON.parse(sessionStorage.getItem("place") || "null");
  sessionStorage.removeItem("place");
  if (place?.path === location.pathname) {
    scrollTo({ top: place.y, behavior: "instant" });
    const row = place.rows?.map((id) => document.getElementById(id)).find((other) => other?.checkVisibility());
    if (row) {
      if (!row.hasAttribute("tabindex")) row.tabIndex = -1;
      row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "nearest" });
    }
  }

  // An undo by the toast, and a reaction by a menu, keep the place too.
  on("submit", ".toast form", () => keepPlace(document.activeElement, true));
  on("submit", ".menu-items form", (_, form) => keepPlace(form, false));

  // On a narrow window the navigation and the tabs scroll sideways to the current page.
  for (const here of document.querySelectorAll(".nav [aria-current], .tabs [aria-current]")) {
    const bar = here.closest(".nav, .tabs");
    const [at, from] = [here.getBoundingClientRect(), bar.getBoundingClientRect()];
    bar.scrollLeft += at.left + at.width / 2 - from.left - from.width / 2;
  }

  // A toast goes after a while, unless the person is at it.
  const expire = (toast) => setTimeout(() => {
    if (toast.matches(":hover, :focus-within")) expire(toast);
    else toast.remove();
  }, 20 * 1000);
  const toasts = document.querySelector(".toasts");
  if (toasts) {
    for (const toast of toasts.children) expire(toast);
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) for (const node of addedNodes) if (node instanceof Element) expire(node);
    }).observe(toasts, { childList: true });
  }

  on("click", "[data-dismiss]", (event, link) => {
    event.preventDefault();
    link.closest(".toast").remove();
  });

  on("submit", "form[data-theme-switch]", async (event, form) => {
    event.preventDefault();
    const theme = event.submitter.value;
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    for (const button of form.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.value === theme));
    }
    await part(form.action, { method: "POST", body: new URLSearchParams({ theme }) });
  });

  // One menu is open at a time; the arrow keys walk through it.
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  on("keydown", "details.menu[open], .message-menu", (event, menu) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !menu.querySelector(".menu-items:not([hidden])")) return;
    event.preventDefault();
    const all = menu.querySelectorAll(".menu-items a, .menu-items button");
    const items = [...all].filter((item) => item.checkVisibility());
    const at = items.indexOf(document.activeElement);
    const next = at < 0 ? (step > 0 ? 0 : items.length - 1) : (at + step + items.length) % items.length;
    items[next]?.focus();
  });

  // <button data-copy="text"> copies the text. data-copy-link holds a path of
  // the console and copies the whole address.
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = document.createElement("textarea");
      field.value = text;
      (document.querySelector("dialog[open]") || document.body).append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    say("Copied.");
  }
  on("click", "[data-copy]", (_, button) => copy(button.dataset.copy));
  on("click", "[data-copy-link]", (_, button) => copy(new URL(button.dataset.copyLink, location.href).href));

  // A choice in a filter sends the form at once.
  const choices = "form[data-auto] select, form[data-auto] input[type=checkbox][name]";
  on("change", choices, (_, field) => field.form.requestSubmit());
}
