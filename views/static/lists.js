// A verdict on a candidate is sent in place: the page comes again with the next
// candidates, and the focus stays at the same place of the list.
{
  const rows = () => [...document.querySelectorAll(".candidates > [data-row]")];

  on("submit", "form[data-verdict]", async (event, form) => {
    event.preventDefault();
    if (form.getAttribute("aria-busy")) return;
    form.setAttribute("aria-busy", "true");
    const row = form.closest("[data-row]");
    const at = rows().indexOf(row);
    const inFocus = row.contains(document.activeElement);
    try {
      const body = new URLSearchParams(new FormData(form, event.submitter));
      const response = await part(form.action, { method: "POST", body });
      const next = response.headers.get("X-Location");
      if (!next) {
        form.submit(); // the page that says why
        return;
      }
      const page = await fetch(next);
      const fresh = new DOMParser().parseFromString(await page.text(), "text/html");
      for (const name of ["main", ".toasts"]) {
        Idiomorph.morph(document.querySelector(name), fresh.querySelector(name), { morphStyle: "outerHTML" });
      }
      enhance(document);
      const all = rows();
      if (inFocus) all[Math.min(at, all.length - 1)]?.focus();
    } catch {
      say("The console does not answer. Nothing was lost: try again.");
      form.removeAttribute("aria-busy");
    }
  });
}

// A page of a long list that was cut before it had a row goes on by itself.
{
  async function goOn() {
    for (let notice; (notice = document.querySelector("[data-go-on]"));) {
      const next = document.getElementById("page-next");
      if (!next) return;
      const response = await fetch(next.href);
      if (!response.ok || !notice.isConnected) return;
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("main");
      if (!fresh || !notice.isConnected) return;
      history.replaceState(history.state, "", next.href);
      document.querySelector("main").replaceWith(fresh);
    }
    enhance(document);
  }
  if (document.querySelector("[data-go-on]")) goOn().catch(() => {}); // the link to the next page is there
}

// Rows are selected to be acted on at once. The form names their boxes in data-selects.
// The button with a count shows their number. Shift, with a click or with the key x,
// extends the selection from the box before, over the rows that are shown. Folded rows
// are shown when they are selected with all of the page, so that nobody acts on rows
// that they do not see.
{
  let last = null;
  const boxesOf = (form) =>
    [...form.elements].filter((el) => el.name === form.dataset.selects && el.type === "checkbox");

  function count() {
    for (const form of document.querySelectorAll("form[data-selects]")) {
      const boxes = boxesOf(form);
      const n = boxes.filter((box) => box.checked).length;
      for (const box of boxes) box.closest("tr").classList.toggle("selected", box.checked);
      const all = form.querySelector("[data-select-all]");
      all.checked = n > 0 && n === boxes.length;
      all.indeterminate = n > 0 && n < boxes.length;
      const shown = form.querySelector(".count");
      shown.textContent = n > 0 ? ` (${n})` : "";
      shown.closest("button").disabled = n === 0;
    }
  }

  on("change", "[data-select-all]", (event, all) => {
    for (const box of boxesOf(all.form)) box.checked = all.checked;
    if (all.checked) for (const fold of document.querySelectorAll(".wave-more")) fold.open = true;
    count();
  });
  on("click", "[data-row] input[type=checkbox]", (event, box) => {
    if (!box.form?.dataset.selects) return;
    const boxes = boxesOf(box.form).filter((other) => other.checkVisibility());
    const from = boxes.indexOf(last);
    last = box;
    if (!event.shiftKey || from < 0) return;
    const to = boxes.indexOf(box);
    for (const between of boxes.slice(Math.min(from, to), Math.max(from, to) + 1)) between.checked = box.checked;
  });
  on("change", "[form]", (event, box) => {
    if (box.form?.dataset.selects) count();
  });
  addEventListener("pageshow", count); // a browser checks boxes again after the scripts ran
  enhancers.push(count);
}
