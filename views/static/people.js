// A row of the board opens in place: the parts of its score come below it. The
// link in the row shows the same parts on a page. The address of the board
// names the open row, so that a person can share it.
{
  const open = (id) => {
    const address = new URL(location.href);
    if (id) address.searchParams.set("open", id);
    else address.searchParams.delete("open");
    history.replaceState(history.state, "", address);
  };

  on("click", "a[data-unfold]", async (event, link) => {
    if (!isPlainClick(event)) return;
    event.preventDefault();
    const row = link.closest("tr");
    const shown = row.nextElementSibling;
    if (shown?.matches("tr.detail")) {
      shown.remove();
      row.classList.remove("open");
      link.setAttribute("aria-expanded", "false");
      open("");
      return;
    }
    if (link.getAttribute("aria-busy")) return;
    link.setAttribute("aria-busy", "true");
    try {
      const response = await part(link.dataset.unfold);
      if (!response.ok || response.redirected) throw new Error(response.statusText);
      const detail = document.createElement("tr");
      detail.className = "detail";
      detail.id = row.id.replace(/^u-/, "d-");
      const cell = detail.insertCell();
      cell.className = "full";
      cell.colSpan = row.cells.length;
      cell.innerHTML = await response.text();
      row.after(detail);
      row.classList.add("open");
      link.setAttribute("aria-expanded", "true");
      enhance(detail);
      open(row.id.replace(/^u-/, ""));
    } catch {
      location.assign(link.href);
    } finally {
      link.removeAttribute("aria-busy");
    }
  });
}
