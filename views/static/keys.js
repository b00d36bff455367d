// Keys. The same key means the same everywhere: an element says by data-key
// which one presses it, a row by data-row that j and k stop at it, and by
// data-open which of its links Enter follows. data-current marks the row that
// a page is about.
{
  const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.checkVisibility());
  const currentRow = () => document.activeElement?.closest("[data-row]");
  let afterG = 0;

  function move(step) {
    const all = rows();
    if (all.length === 0) return;
    let at = all.indexOf(currentRow());
    if (at < 0) at = step > 0 ? all.findIndex((row) => row.getBoundingClientRect().bottom > 60) - 1 : all.length;
    const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  // press finds what a key means for the row in focus, then for the page.
  function press(key) {
    const name = `[data-key="${CSS.escape(key)}"]`;
    const row = currentRow() || document.querySelector("[data-row][data-current]");
    const inRow = row?.querySelector(name);
    const ofPage = [...document.querySelectorAll(name)].find((el) => !el.closest("[data-row]"));
    const found = inRow || ofPage;
    found?.click();
    return Boolean(found);
  }

  function typing(el) {
    return el.closest("input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]") !== null;
  }

  function handle(event) {
    const { key } = event;
    if (afterG && Date.now() - afterG < 1500) {
      afterG = 0;
      const link = document.querySelector(`.nav [data-go="${CSS.escape(key)}"]`);
      link?.click();
      return Boolean(link);
    }
    switch (key) {
      case "j": move(1); return true;
      case "k": move(-1); return true;
      case "g": afterG = Date.now(); return true;
      case "?": document.getElementById("keys")?.showModal(); return true;
      case "/": {
        const field = document.querySelector("[data-search], input[type=search]");
        field?.focus();
        field?.select();
        return Boolean(field);
      }
      case "x": {
        const box = currentRow()?.querySelector("input[type=checkbox]");
        box?.click();
        return Boolean(box);
      }
      case "Enter": {
        const row = document.activeElement?.matches("[data-row]") && document.activeElement;
        const link = row && row.querySelector("[data-open]");
        link?.click();
        return Boolean(link);
      }
    }
    return key.length === 1 && press(key);
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    if (handle(event)) event.preventDefault();
  });

  // Leaving a search field by Esc gives the keys back.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (typing(event.target)) event.target.blur();
  });

  enhancers.push((root) => root.querySelectorAll("[data-row]:not([tabindex])").forEach((row) => { row.tabIndex = -1; }));

  // A click on a row opens it, unless it was meant for something in the row
  // or for marking text.
  on("click", "[data-row]", (event, row) => {
    if (event.defaultPrevented || event.target.closest("a, button, input, label, select, textarea, summary, details, dialog")) return;
    if (String(getSelection())) return;
    row.querySelector("[data-open]")?.click();
  });
}
