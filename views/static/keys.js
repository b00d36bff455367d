// Keys. A key means the same on every page. data-key names the key that presses
// an element. j and k stop at elements with data-row. Enter follows the link
// with data-open in the row. data-current marks the row that a page is about. In a
// part with data-no-rows the keys find no rows.
{
  const rowsWithKeys = "[data-row]:not([data-no-rows] *)";
  const rows = () => [...document.querySelectorAll(rowsWithKeys)].filter((row) => row.checkVisibility());
  const currentRow = () => document.activeElement?.closest(rowsWithKeys);
  let afterG = 0;

  function move(step) {
    const all = rows();
    if (all.length === 0) return;
    let at = all.indexOf(currentRow());
    if (at < 0 && document.querySelector("[data-queue]")) at = all.findIndex((row) => row.matches("[data-current]"));
    if (at < 0) {
      const firstInView = all.findIndex((row) => row.getBoundingClientRect().bottom > 60);
      at = step > 0 ? firstInView - 1 : all.length;
    }
    const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  const box = () => currentRow()?.querySelector("input[type=checkbox]");

  // extend selects the row in focus and the one after it, to which it moves.
  function extend(step) {
    const select = () => box()?.checked === false && box().click();
    select();
    move(step);
    select();
    return Boolean(box());
  }

  // press clicks the element of a key in the row in focus, else on the page.
  function press(key) {
    const name = `[data-key="${CSS.escape(key)}"]`;
    const row = currentRow() || document.querySelector(rowsWithKeys + "[data-current]");
    const inRow = row?.querySelector(name);
    const menu = row?.querySelector(`[data-menu][data-keys*="${CSS.escape(key)}"]`);
    if (!inRow && menu) {
      loadMenu(menu).then((items) => items?.querySelector(name)?.click());
      return true;
    }
    const ofPage = [...document.querySelectorAll(name)].find((el) => !el.closest("[data-row]"));
    const found = inRow || ofPage;
    found?.click();
    return Boolean(found);
  }

  // works reports whether a key does something on this page.
  function works(key) {
    const escaped = CSS.escape(key);
    switch (key) {
      case "j": return rows().length > 0;
      case "Enter": return document.querySelector("[data-row] [data-open]") !== null;
      case "x": case "J": return document.querySelector("[data-row] input[type=checkbox]") !== null;
      case "/": return searchField() !== null;
      case "reasons": return document.querySelector("[data-decide] [data-fill] button") !== null;
    }
    const els = document.querySelectorAll(`[data-key="${escaped}"], [data-menu][data-keys*="${escaped}"]`);
    return [...els].some((el) => !el.closest("[data-no-rows] [data-row]"));
  }

  const searchField = () => document.querySelector("[data-search], input[type=search]");

  // The sheet shows the keys that work on this page. It becomes part of the page
  // when it is opened first.
  function showSheet() {
    const template = document.getElementById("keys-sheet");
    if (!template) return;
    if (!document.getElementById("keys")) template.after(template.content.cloneNode(true));
    const sheet = document.getElementById("keys");
    const queue = document.querySelector("[data-queue]") ? "queue" : "else";
    for (const line of sheet.querySelectorAll("[data-if-key]")) line.hidden = !works(line.dataset.ifKey);
    for (const meaning of sheet.querySelectorAll("[data-on]")) meaning.hidden = meaning.dataset.on !== queue;
    sheet.showModal();
  }

  function typing(el) {
    const fields = "input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]";
    return el.closest(fields) !== null;
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
      case "J": case "K": return works("J") && extend(key === "J" ? 1 : -1);
      case "g": afterG = Date.now(); return true;
      case "?": showSheet(); return true;
      case "/": {
        const field = searchField();
        field?.focus();
        field?.select();
        return Boolean(field);
      }
      case "x": case "X": {
        box()?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: event.shiftKey }));
        return Boolean(box());
      }
      case "Enter": {
        const row = document.activeElement?.closest("[data-row]");
        const link = row === document.activeElement ? row?.querySelector("[data-open]") : null;
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

  // Esc leaves a search field, so that the keys work again.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    if (closeMenu()) return;
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (typing(event.target)) event.target.blur();
  });

  enhancers.push((root) => {
    for (const row of root.querySelectorAll("[data-row]:not([tabindex])")) row.tabIndex = -1;
  });

  // A click on a row opens it. A click on a control in the row, or one that
  // selects text, does not.
  on("click", "[data-row]", (event, row) => {
    const controls = "a, button, input, label, select, textarea, summary, details, dialog";
    if (event.defaultPrevented || event.target.closest(controls)) return;
    if (String(getSelection())) return;
    row.querySelector("[data-open]")?.click();
  });
}
