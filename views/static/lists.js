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

// Items of a list are selected to be removed at once. The button shows their
// number.
{
  function count() {
    const form = document.getElementById("remove-selected");
    const all = form?.querySelector("[data-select-all]");
    if (!all) return;
    const boxes = [...form.elements].filter((el) => el.name === "item");
    const n = boxes.filter((box) => box.checked).length;
    for (const box of boxes) box.closest("tr").classList.toggle("selected", box.checked);
    all.checked = n === boxes.length;
    all.indeterminate = n > 0 && n < boxes.length;
    form.querySelector(".count").textContent = n > 0 ? ` (${n})` : "";
    form.querySelector("button").disabled = n === 0;
  }

  on("change", "[data-select-all]", (event, all) => {
    for (const el of all.form.elements) if (el.name === "item") el.checked = all.checked;
    count();
  });
  on("change", "[form=remove-selected]", count);
  addEventListener("pageshow", count); // a browser checks boxes again after the scripts ran
  enhancers.push(count);
}
