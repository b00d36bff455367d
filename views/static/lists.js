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
