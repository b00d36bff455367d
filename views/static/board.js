// The table of an open board. New figures are put in at once, each in its place.
// Rows change places, come and go only while neither the pointer nor the focus
// is at the table, or when a person says so: nothing jumps under a hand.
//
// region holds the table, or says why there is none; renewed is called when all
// of it was read again.
function movingBoard(region, renewed) {
  const find = (name) => document.querySelector(`[data-live-${name}]`);
  let latest;               // the page as the server has it: ids in their order, the first one's rank
  let pager;                // that of the latest page, where it is not shown yet
  const coming = new Map(); // rows that are on the latest page and not in the table, by id
  const stale = new Set();  // open rows whose parts are to be read again

  const zone = () => region.querySelector(".board-zone");
  const body = () => region.querySelector("table.board > tbody");
  const rows = () => [...(body()?.querySelectorAll(":scope > tr[data-row]") ?? [])];
  const idOf = (row) => row.id.slice(2);
  const rowOf = (id) => document.getElementById("u-" + id);
  const detailOf = (row) => row.nextElementSibling?.matches("tr.detail") ? row.nextElementSibling : null;

  function readPage() {
    latest = { ids: rows().map(idOf), first: Number(body()?.querySelector("[data-rank]")?.textContent.replaceAll(",", "") ?? 1) };
    pager = undefined;
    coming.clear();
    stale.clear();
  }

  // have are the fingerprints of the latest page's rows.
  const have = () => latest.ids.map((id) => (coming.get(id) ?? rowOf(id))?.dataset.print).join(".");

  // take takes in what the server says is new.
  function take(news) {
    for (const { id, html } of news.rows ?? []) {
      const fresh = parse(html);
      const row = rowOf(id);
      if (row) change(row, fresh);
      else coming.set(id, fresh);
    }
    latest = { ids: news.order ?? latest.ids, first: news.first };
    for (const id of coming.keys()) if (!latest.ids.includes(id)) coming.delete(id);
    if (news.pager !== undefined) pager = news.pager;
    rank();
    settle();
  }

  function parse(html) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    return holder.content.firstElementChild;
  }

  // morph makes an element like another. Elements with the same id stay the
  // same element, with their focus. What a person opened stays open.
  function morph(old, fresh, morphStyle = "outerHTML") {
    const ofThePage = ["aria-expanded", "aria-busy", "open"];
    const beforeAttributeUpdated = (name) => !ofThePage.includes(name);
    Idiomorph.morph(old, fresh, { morphStyle, callbacks: { beforeAttributeUpdated } });
  }

  // change puts a row's new state into the row that is shown.
  function change(row, fresh) {
    const says = (cell) => cell.querySelector("time")?.dateTime ?? cell.textContent;
    const before = [...row.cells].map(says);
    row.dataset.print = fresh.dataset.print;
    morph(row, [...fresh.childNodes], "innerHTML");
    // The first cell is the rank, which changes too often to be marked.
    [...row.cells].forEach((cell, at) => { if (at > 0 && says(cell) !== before[at]) mark(cell); });
    if (detailOf(row)) readParts(row);
  }

  // mark lights a cell up for a moment; who wants no motion sees it end at once.
  function mark(cell) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    cell.animate([{ boxShadow: "inset 0 0 0 100vmax var(--fresh)" }, { boxShadow: "inset 0 0 0 100vmax transparent" }], { duration: 1800, easing: still ? "steps(1, end)" : "ease-in" });
  }

  // readParts reads the parts of an open row's score again.
  async function readParts(row) {
    stale.delete(row);
    if (row.dataset.reading) {
      row.dataset.reading = "again";
      return;
    }
    row.dataset.reading = "once";
    try {
      const response = await part(row.querySelector("a[data-unfold]").dataset.unfold);
      const sheet = response.ok && !response.redirected && parse(await response.text());
      const shown = detailOf(row)?.querySelector(".sheet");
      const lines = (el) => el.querySelectorAll(".parts tr").length;
      if (sheet && shown && row.dataset.reading === "once") {
        // More lines push down what stands below.
        if (lines(sheet) !== lines(shown) && busy()) stale.add(row);
        else morph(shown, sheet);
      }
    } catch {
      stale.add(row);
    }
    const more = row.dataset.reading === "again";
    delete row.dataset.reading;
    if (more) readParts(row);
  }

  // ---- the order ----

  // rank writes the ranks that hold now, also while rows are not moved.
  function rank() {
    for (const row of rows()) {
      const at = latest.ids.indexOf(idOf(row));
      const text = at < 0 ? "–" : (latest.first + at).toLocaleString("en-US");
      const cell = row.querySelector("[data-rank]");
      if (cell.textContent !== text) cell.textContent = text;
      row.classList.toggle("gone", at < 0);
    }
  }

  // busy says that a hand, a cursor or a selection is at the table.
  function busy() {
    const at = zone();
    if (!at) return false;
    const selected = getSelection();
    return at.matches(":hover") || at.contains(document.activeElement) || !selected.isCollapsed && at.contains(selected.anchorNode);
  }

  function settle() {
    const moved = rows().map(idOf).join() !== latest.ids.join();
    if (busy()) {
      if (moved) find("note").hidden = false;
      else if (find("note")) find("note").hidden = true;
      return;
    }
    arrange(moved);
  }

  // afterNodeAdded prepares a row that came into the table.
  function afterNodeAdded(row) {
    row.tabIndex = -1;
    [...row.cells].forEach(mark);
  }

  // arrange shows the latest page as it is.
  function arrange(moved) {
    if (moved && (latest.ids.length === 0 || !body())) {
      renew();
      return;
    }
    if (moved) {
      const [x, y] = [scrollX, scrollY];
      // Empty copies tell the library where each known element belongs; what
      // is in these elements stays as it is.
      const places = latest.ids.flatMap((id) => {
        const row = rowOf(id);
        if (!row) return [coming.get(id)];
        return [row, detailOf(row)].filter(Boolean).map((known) => known.cloneNode(false));
      });
      const beforeNodeMorphed = () => false;
      Idiomorph.morph(body(), places, { morphStyle: "innerHTML", callbacks: { beforeNodeMorphed, afterNodeAdded } });
      coming.clear();
      scrollTo({ left: x, top: y, behavior: "instant" });
      rank();
    }
    if (find("note")) find("note").hidden = true;
    if (pager !== undefined) {
      const links = region.querySelector(".pager");
      if (links) morph(links, parse(pager));
      pager = undefined;
    }
    for (const row of [...stale]) if (row.isConnected) readParts(row);
    stale.clear();
  }

  // renew reads the page again: a board that was empty has no table, one that
  // is empty now says why.
  async function renew() {
    try {
      const response = await fetch(location.href);
      if (!response.ok || response.redirected) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      region.replaceChildren(...page.querySelector("[data-live]").childNodes);
      enhance(region);
      readPage();
      renewed();
    } catch {
      // The next news tries again.
    }
  }

  readPage();
  const soon = () => setTimeout(settle); // once the focus is where it goes
  region.addEventListener("pointerleave", (event) => { if (event.target === zone()) soon(); }, true);
  region.addEventListener("focusout", soon);
  document.addEventListener("selectionchange", () => { if (find("note")?.hidden === false) soon(); });
  on("click", "[data-live-note]", () => {
    arrange(true);
    find("said").textContent = "";
    setTimeout(() => { find("said").textContent = "Board updated"; }, 100);
  });
  return { have, take };
}
