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

  on("click", "[data-fill] button", (_, button) => {
    const field = document.getElementById(button.parentElement.dataset.fill);
    field.value = button.textContent;
    field.focus();
  });

  // <select data-shows="date:until-field"> shows a field for one choice only.
  function shows(select) {
    const [value, id] = select.dataset.shows.split(":");
    const field = document.getElementById(id);
    field.hidden = select.value !== value;
    for (const input of field.querySelectorAll("input")) input.disabled = field.hidden;
  }
  on("change", "select[data-shows]", (_, select) => shows(select));
  enhancers.push((root) => root.querySelectorAll("select[data-shows]").forEach(shows));
}
