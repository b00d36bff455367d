// <section id="…" data-refresh> is read again every second, as long as the page
// of the server asks for it.
{
  async function refresh() {
    const old = document.querySelector("[data-refresh]");
    if (!old) return;
    if (document.visibilityState === "visible" && !document.querySelector("dialog[open]")) {
      try {
        const response = await fetch(location.href);
        const text = response.ok && !response.redirected && await response.text();
        const fresh = text && new DOMParser().parseFromString(text, "text/html").getElementById(old.id);
        if (fresh) Idiomorph.morph(old, fresh);
      } catch {
        // The console does not answer: try again.
      }
    }
    setTimeout(refresh, 1000);
  }
  if (document.querySelector("[data-refresh]")) setTimeout(refresh, 1000);
}
