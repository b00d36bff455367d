// Hidden texts. data-reveal shows all of a page, and of the pages that follow in
// this visit. Without scripts, and for the outline of a tree, which holds no hidden
// text, it is a link. Space shows the text of the row in focus in place.
{
  const hidden = "details.hidden-text, details.peek:has(> summary.faint), details.peek:has(> summary > .faint)";
  const known = "revealed";
  const revealed = () => sessionStorage.getItem(known) === "1";

  function show(part) {
    for (const text of part.querySelectorAll(hidden)) text.open = revealed();
  }

  function mark() {
    if (!document.querySelector(hidden)) return;
    for (const link of document.querySelectorAll("[data-reveal]")) {
      link.dataset.closed ??= link.textContent;
      link.textContent = revealed() ? "Hide these texts again" : link.dataset.closed;
    }
  }

  on("click", "[data-reveal]", (event) => {
    if (!isPlainClick(event) || !document.querySelector(hidden)) return;
    event.preventDefault();
    if (revealed()) sessionStorage.removeItem(known);
    else sessionStorage.setItem(known, "1");
    mark();
    show(document);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!event.target.matches?.("[data-row]") || document.querySelector("dialog[open]")) return;
    const opened = event.target.nextElementSibling?.matches("tr.detail") && event.target.nextElementSibling;
    const places = [event.target, opened].filter(Boolean);
    const texts = places.flatMap((place) => [...place.querySelectorAll("details.hidden-text, details.peek")]);
    if (texts.length === 0) return;
    event.preventDefault();
    const open = !texts[0].open;
    for (const text of texts) text.open = open;
  });

  enhancers.push((part) => {
    if (part === document) mark();
    if (revealed()) show(part);
  });
}
