// The table of an open board. New figures show at once. Rows move, appear and
// disappear only while neither the pointer nor the focus is in the table, or
// when a person asks for it: a row must not move just before a click on it.
//
// region holds the table, or the reason why there is none. renewed is called
// after the whole region was read again.
function movingBoard(region, renewed) {
  const find = (name) => document.querySelector(`[data-live-${name}]`);
  let latest;               // the page of the server: ids in their order, rank of the first
  let pager;                // the links of the latest page, if they do not show yet
  const coming = new Map(); // rows of the latest page that are not in the table yet, by id
  const stale = new Set();  // open rows; their parts must be read again

  const zone = () => region.querySelector(".board-zone");
  const body = () => region.querySelector("table.board > tbody");
  const rows = () => [...(body()?.querySelectorAll(":scope > tr[data-row]") ?? [])];
  const idOf = (row) => row.id.slice(2);
  const rowOf = (id) => document.getElementById("u-" + id);
  const detailOf = (row) => row.nextElementSibling?.matches("tr.detail") ? row.nextElementSibling : null;

  function readPage() {
    const first = body()?.querySelector("[data-rank]")?.textContent.replaceAll(",", "") ?? 1;
    latest = { ids: rows().map(idOf), first: Number(first) };
    pager = undefined;
    coming.clear();
    stale.clear();
  }

  // fingerprints returns those of the latest page's rows.
  const fingerprints = () => latest.ids.map((id) => (coming.get(id) ?? rowOf(id))?.dataset.print).join(".");

  // update applies an event of the server.
  function update(news) {
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

  // mark highlights a cell for a moment. Where the system asks for reduced
  // motion, the highlight does not fade.
  function mark(cell) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const boxShadow = ["inset 0 0 0 100vmax var(--fresh)", "inset 0 0 0 100vmax transparent"];
    cell.animate({ boxShadow }, { duration: 1800, easing: still ? "steps(1, end)" : "ease-in" });
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
      const lines = (el) => el.querySelectorAll(".parts tr, .evidence li").length;
      if (sheet && shown && row.dataset.reading === "once") {
        // More or fewer lines move the rows below.
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

  // rank writes the current ranks, also while the rows keep their places.
  function rank() {
    for (const row of rows()) {
      const at = latest.ids.indexOf(idOf(row));
      const text = at < 0 ? "–" : (latest.first + at).toLocaleString("en-US");
      const cell = row.querySelector("[data-rank]");
      if (cell.textContent !== text) cell.textContent = text;
      row.classList.toggle("gone", at < 0);
    }
  }

  // busy says that the pointer, the focus or a selection is in the table.
  function busy() {
    const at = zone();
    if (!at) return false;
    const selected = getSelection();
    if (at.matches(":hover") || at.contains(document.activeElement)) return true;
    return !selected.isCollapsed && at.contains(selected.anchorNode);
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

  // arrange shows the latest page, with the rows in their current order.
  function arrange(moved) {
    if (moved && (latest.ids.length === 0 || !body())) {
      renew();
      return;
    }
    if (moved) {
      const [x, y] = [scrollX, scrollY];
      // An empty copy stands for each known element and gives its place. The
      // content of the known elements stays as it is.
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

  // renew reads the page again. It is for a board that was empty, which has no
  // table, and for one that is empty now.
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
      // The next event tries again.
    }
  }

  readPage();
  const soon = () => setTimeout(settle); // after the focus has moved
  const left = (event) => { if (event.target === zone()) soon(); };
  region.addEventListener("pointerleave", left, true);
  region.addEventListener("focusout", soon);
  document.addEventListener("selectionchange", () => { if (find("note")?.hidden === false) soon(); });
  on("click", "[data-live-note]", () => {
    arrange(true);
    find("said").textContent = "";
    setTimeout(() => { find("said").textContent = "Board updated"; }, 100);
  });
  return { fingerprints, update };
}
