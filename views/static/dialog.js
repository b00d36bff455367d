// Forms of actions open in place: <a data-dialog href="/users/…/ban"> shows the
// form of the page behind the link in a dialog.
{
  let dialog;
  let opener; // gets the focus back
  let leaving = false; // the page is about to be replaced

  function holder() {
    if (!dialog) {
      dialog = document.createElement("dialog");
      dialog.setAttribute("aria-labelledby", "act-title");
      document.body.append(dialog);
      dialog.addEventListener("close", () => {
        if (opener?.isConnected && !leaving) opener.focus();
      });
    }
    return dialog;
  }

  // fill shows a part in the dialog, or opens the whole page where the answer
  // is no part.
  async function fill(response, fallback) {
    if (response.status === 401) {
      location.assign("/sign-in?return=" + encodeURIComponent(location.pathname + location.search));
      return;
    }
    if (!(response.headers.get("Content-Type") || "").startsWith("text/html") || response.redirected) {
      location.assign(fallback);
      return;
    }
    const box = holder();
    box.innerHTML = await response.text();
    box.classList.toggle("wide", box.querySelector("[data-wide]") !== null);
    enhance(box);
    if (!box.open) box.showModal();
    box.querySelector("[aria-invalid=true], [autofocus]")?.focus();
  }

  on("click", "a[data-dialog]", async (event, link) => {
    if (!isPlainClick(event)) return;
    event.preventDefault();
    // A key presses the link for the row that has the focus. The menu that holds
    // the link is closed by now.
    const menu = link.closest(".menu");
    opener = event.isTrusted ? menu?.querySelector("[data-menu], summary") || link : document.activeElement;
    menu?.removeAttribute("open");
    closeMenu();
    try {
      await fill(await part(link.href), link.href);
    } catch {
      location.assign(link.href);
    }
  });

  // The address may have changed since the page was made: a row of the board was
  // opened. The act returns to the address as it is.
  function returnHere(body) {
    const back = new URL(body.get("return") || location.href, location.href);
    if (back.pathname !== location.pathname) return;
    body.set("return", location.pathname + location.search + back.hash);
  }

  // counting is the request for numbers that is under way. A newer choice, or
  // sending the form, ends it.
  let counting = new AbortController();

  on("submit", "form[data-act]", () => counting.abort());

  on("submit", "dialog form[data-act]", async (event, form) => {
    event.preventDefault();
    const button = event.submitter;
    if (button?.disabled) return;
    const body = new URLSearchParams(new FormData(form, button));
    returnHere(body);
    if (button) button.disabled = true;
    try {
      const response = await part(form.action, { method: "POST", body });
      const next = response.headers.get("X-Location");
      if (next) {
        leaving = true;
        go(next, opener);
      }
      else await fill(response, form.action);
    } catch {
      say("The console does not answer. Nothing was lost: try again.");
      if (button) button.disabled = false;
    }
  });

  on("click", "dialog [data-close]", (event, link) => {
    event.preventDefault();
    link.closest("dialog").close();
  });

  // A choice that changes the numbers of the form asks for them again.
  on("change", "form[data-act] [data-preview]", async (_, field) => {
    const form = field.form;
    const values = new URLSearchParams(new FormData(form));
    values.delete("key");
    const numbers = form.querySelector(".act-numbers");
    counting.abort();
    counting = new AbortController();
    try {
      const response = await part(form.action + "?" + values, { signal: counting.signal });
      if (!response.ok || !numbers) return;
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector(".act-numbers");
      if (fresh) numbers.replaceChildren(...fresh.childNodes);
    } catch {
      // The form keeps the old numbers. The answer to the act shows the true ones.
    }
  });

  // The last used reasons are one stop of Tab. The arrow keys move in it, and 1 to
  // 6 pick one while the focus is in no text field.
  function pick(button) {
    const field = document.getElementById(button.parentElement.dataset.fill);
    field.value = (button.querySelector("bdi") || button).textContent;
    return field;
  }
  on("click", "[data-fill] button", (_, button) => pick(button).focus());
  on("focusin", "[data-fill] button", (_, button) => oneStop(button.parentElement, button));
  on("keydown", "[data-fill] button", (event, button) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...button.parentElement.querySelectorAll("button")];
    all[(all.indexOf(button) + step + all.length) % all.length].focus();
  });
  function oneStop(group, stop) {
    for (const button of group.querySelectorAll("button")) button.tabIndex = button === stop ? 0 : -1;
  }
  enhancers.push((root) => {
    for (const group of root.querySelectorAll("[data-fill]")) {
      oneStop(group, group.querySelector("button"));
      group.querySelectorAll("button").forEach((button, i) => {
        if (i >= 6) return;
        button.setAttribute("aria-keyshortcuts", String(i + 1));
        button.insertAdjacentHTML("beforeend", `<kbd aria-hidden="true">${i + 1}</kbd>`);
      });
    }
  });

  // form is the form of an act that is open: in a dialog, or the page's own.
  function openForm() {
    const box = document.querySelector("dialog[open]") || document.querySelector("main");
    return box?.querySelector("form:has(.dialog-foot .btn-primary)");
  }

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented) return;
    const form = openForm();
    if (!form) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.querySelector(".dialog-foot .btn-primary").click();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || !/^[1-6]$/.test(event.key)) return;
    const texts = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
    const button = event.target.closest(texts) ? null : form.querySelectorAll("[data-fill] button")[event.key - 1];
    if (!button) return;
    event.preventDefault();
    pick(button);
    button.focus();
  });

  // <fieldset data-shows="date:until-field"> shows a field for one choice only.
  function shows(group) {
    const [value, id] = group.dataset.shows.split(":");
    const field = document.getElementById(id);
    field.hidden = group.querySelector(":checked")?.value !== value;
    for (const input of field.querySelectorAll("input")) input.disabled = field.hidden;
  }
  on("change", "[data-shows]", (_, group) => shows(group));
  enhancers.push((root) => root.querySelectorAll("[data-shows]").forEach(shows));
}
