// The queue without page loads. The case that comes next is read beforehand, so
// that it stands there at once after a decision. Only the server decides: a refused
// decision brings its case back as the person left it.
{
  const page = document.querySelector("[data-queue]");
  const holder = page?.querySelector("[data-case-holder]");
  const signOfLife = 3 * 60 * 1000; // in milliseconds; a claim lasts ten minutes without one

  // The cases in which the person wrote something and then opened another one.
  const drafts = new Map();
  let next; // {id, article}: the case that comes next, or a promise of it
  const left = new Set(); // the cases that the person has just decided or skipped
  let claimedAt = 0;
  let opening = 0; // the number of the last case that was asked for
  let deciding = 0; // the number of decisions that the server has not answered

  const current = () => holder.querySelector("[data-case]");
  const idOf = (article) => article?.dataset.case;
  const formOf = (article) => article?.querySelector("[data-decide]");
  const isMine = (article) => article?.matches("[data-work][data-mine]");

  // filter returns the query of the list, with some parameters set.
  function filter(set = {}) {
    const values = new URLSearchParams(location.search);
    values.delete("done");
    values.delete("notice");
    for (const [name, value] of Object.entries(set)) if (value) values.set(name, value);
    const text = values.toString();
    return text && "?" + text;
  }
  const pathOf = (id) => `/queue/${id}${filter()}`;

  function parse(html, selector) {
    return new DOMParser().parseFromString(html, "text/html").querySelector(selector);
  }

  // why returns the reason of a refusal in words.
  async function why(response) {
    if (response.status === 401) {
      // The person returns to the case that was not decided, not to the one after it.
      const undone = new URL(response.url).pathname.match(/^\/queue\/\d+/)?.[0] || location.pathname;
      location.assign("/sign-in?return=" + encodeURIComponent(undone));
    }
    const read = new DOMParser().parseFromString(await response.text(), "text/html");
    const said = [...read.querySelectorAll("[data-decide] .error, .dialog-body > p:first-child, .dialog-body li")];
    const words = said.map((line) => line.textContent.trim().replace(/\s+/g, " ")).join(" ");
    return words || `The console answers ${response.status}.`;
  }

  // send posts to an address. It returns what was refused, and why: empty if it was done.
  async function send(path, body) {
    try {
      const response = await part(path, { method: "POST", body });
      return response.ok ? { response } : { refused: await why(response), status: response.status };
    } catch {
      return { refused: "The console does not answer. Nothing was lost: try again." };
    }
  }

  // ---- the open case ----

  function isDraft(article) {
    const form = formOf(article);
    return Boolean(form?.querySelector("input:checked") || form?.querySelector("[name=reason]").value);
  }

  // show puts a case, or nothing, into the page. how is push, replace or nothing for
  // the address.
  function show(article, how) {
    const before = current();
    if (before && before !== article && isDraft(before)) drafts.set(idOf(before), before);
    const none = document.querySelector("[data-no-case]").content.firstElementChild;
    const shown = article || holder.querySelector(":scope > .queue-none") || none.cloneNode(true);
    if (!("enhanced" in shown.dataset)) enhance(shown);
    shown.dataset.enhanced = "";
    // What the person wrote comes back, in the case as it is now.
    const draft = drafts.get(idOf(shown));
    if (draft && draft !== shown) formOf(shown)?.replaceWith(formOf(draft));
    drafts.delete(idOf(shown));
    if (shown.parentNode !== holder) holder.replaceChildren(shown);
    page.classList.toggle("has-case", Boolean(article));
    const path = article ? pathOf(idOf(article)) : "/queue" + filter();
    if (how === "push" && path !== location.pathname + location.search) history.pushState(null, "", path);
    if (how === "replace") history.replaceState(null, "", path);
    document.title = (article ? `Case ${idOf(article)}` : "Queue") + " · Treewarden";
    mark();
    notice(page);
    (shown.querySelector("#case-title") || shown).focus({ preventScroll: true });
    scrollTo({ top: 0, behavior: "instant" });
    showMessage(shown);
    return shown;
  }

  // showMessage scrolls so far that the message of a case stands above the form.
  function showMessage(article) {
    article.querySelector(".thread .current")?.scrollIntoView({ block: "nearest", behavior: "instant" });
  }

  // mark marks the line of the open case.
  function mark(root = page) {
    const article = current();
    for (const line of root.querySelectorAll(".queue-line")) {
      const open = Boolean(article) && (line.id === "case-" + idOf(article) ||
        line.dataset.author !== "" && line.dataset.author === article.dataset.author);
      line.classList.toggle("open", open);
      line.toggleAttribute("data-current", open);
      if (open) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
    }
  }

  // complain shows a message in a case.
  function complain(article, text) {
    article.querySelector("[data-refused]")?.remove();
    const notice = document.createElement("div");
    notice.className = "notice notice-bad";
    notice.dataset.refused = "";
    notice.setAttribute("role", "alert");
    notice.append(document.createElement("div"));
    notice.firstChild.textContent = text;
    (formOf(article) || article).prepend(notice);
  }

  // read returns a case as the server shows it now, or undefined.
  async function read(path, options) {
    const response = await part(path, options);
    if (response.status === 204) return undefined;
    if (!response.ok) throw new Error(await why(response));
    return parse(await response.text(), "[data-case]") || undefined;
  }

  // hold claims the open case. It returns why this was refused.
  async function hold(article) {
    if (!article?.matches("[data-work]")) return "";
    const { refused } = await send(`/queue/${idOf(article)}/claim`);
    if (refused) {
      delete article.dataset.mine;
      return refused;
    }
    claimedAt = Date.now();
    article.dataset.mine = "";
    if (!article.isConnected && !left.has(idOf(article))) release(article); // the person is elsewhere by now
    return "";
  }

  function release(article) {
    if (!isMine(article)) return;
    delete article.dataset.mine;
    part(`/queue/${idOf(article)}/release`, { method: "POST", keepalive: true }).catch(() => {});
    released.postMessage(idOf(article));
  }

  // A case that is open in another tab of the person too is claimed again by that one.
  const released = new BroadcastChannel("released cases");
  released.addEventListener("message", (event) => {
    setTimeout(() => {
      const article = current();
      if (article && idOf(article) === event.data && isMine(article)) hold(article);
    }, 300);
  });

  // open shows a case and claims it.
  async function open(id, how) {
    const turn = ++opening;
    left.delete(id);
    try {
      let article = await read(pathOf(id));
      if (turn !== opening) return;
      const before = current();
      if (idOf(before) !== id) release(before);
      article = show(article, how);
      const refused = await hold(article);
      if (refused && turn === opening) {
        // Somebody was faster: the case says who.
        drafts.delete(id);
        show(await read(pathOf(id)), "replace");
        say(refused);
      }
    } catch (error) {
      say(error.message);
      return;
    }
    reread();
    prepare();
  }

  // openNext claims the next case of the list and shows it. The server chooses it.
  async function openNext() {
    const turn = ++opening;
    const before = current();
    try {
      const response = await part("/queue/next" + filter(), { method: "POST" });
      if (!response.ok) throw new Error(await why(response));
      const html = await response.text();
      const article = parse(html, "[data-case]");
      if (turn !== opening) return;
      release(before);
      claimedAt = Date.now();
      show(article || undefined, "push");
      const only = parse(html, "[data-fresh-notices]")?.content.querySelector("[data-only-toxic]");
      if (!article) say(only?.textContent || "No open case is left.");
    } catch (error) {
      say(error.message);
    }
    reread();
    prepare();
  }

  // prepare reads the case that comes after the open one. With except it is none of
  // that author.
  function prepare(except) {
    next = undefined;
    const article = current();
    if (!article?.matches("[data-work]")) return;
    const not = [idOf(article), ...[...left].slice(-20)].join(".");
    const asked = read("/queue/next" + filter({ not, except })).catch(() => undefined);
    next = asked;
    asked.then((found) => { if (next === asked) next = found; });
  }

  // leave goes from a case to the next one, while the server does what the person
  // decided: work is a function that returns what was refused.
  async function leave(article, work, except) {
    const turn = ++opening;
    ++deciding;
    const done = work().finally(() => --deciding);
    left.add(idOf(article));
    delete article.dataset.mine;
    const following = next instanceof Promise ? await next : next;
    if (turn !== opening) {
      done.then(() => reread());
      return;
    }
    next = undefined;
    const shown = show(following, "push");
    drafts.delete(idOf(article));
    const held = following ? hold(shown) : Promise.resolve("");
    prepare(except);
    const { refused, response } = await done;
    if (refused) {
      if (await held === "" && shown !== article) release(shown);
      ++opening;
      left.delete(idOf(article));
      show(article, "replace");
      complain(article, refused);
      await hold(article);
      reread();
      prepare();
    } else {
      await reread(response?.headers.get("X-Location"), idOf(article));
      if (turn !== opening) {
        // The decisions after this one may have been answered before it.
        if (deciding === 0 && current()) await freshen(current());
        return;
      }
      if (await held) {
        say(`${await held} This is the case after it.`);
        await openNext();
        return;
      }
      if (!following) await openNext();
      else await freshen(shown);
    }
  }

  // freshen brings what surrounds a case up to date. The case was read before the last
  // decision, which may have changed the counts of its author.
  async function freshen(article) {
    const now = await read(pathOf(idOf(article))).catch(() => undefined);
    if (!now || !article.isConnected) return;
    for (const part of [".case-side", ".case-all span"]) {
      const old = article.querySelector(part);
      const fresh = now.querySelector(part);
      if (old && fresh && !old.contains(document.activeElement)) old.replaceChildren(...fresh.childNodes);
    }
    enhance(article.querySelector(".case-side"));
  }

  function decide(form, submitter) {
    const article = form.closest("[data-case]");
    const body = new URLSearchParams(new FormData(form, submitter));
    const line = page.querySelector(".queue-line.open");
    if (line && (body.get("cases") === "author" || line.dataset.count === "1")) line.remove();
    article.querySelector("[data-refused]")?.remove();
    leave(article, () => send(form.action, body), body.get("cases") === "author" ? article.dataset.author : "");
  }

  // ---- the list ----

  let rereading;
  let rereads = 0; // the number of the last reading
  let toasted = 0; // that of the reading whose notice was shown last
  // reread reads the list again. at is the address with the notice of an action, by
  // which case is undone. The notice of an action before another one does not replace that
  // one's, if it comes later.
  async function reread(at, undoes) {
    const mine = rereading = {};
    const turn = ++rereads;
    try {
      const response = await part(at ? at.replace(/#.*/, "") : "/queue" + filter());
      if (!response.ok) return;
      const fresh = parse(await response.text(), "[data-queue-lines]");
      if (!fresh) return;
      renewNotices(fresh.querySelector("[data-fresh-notices]"));
      const said = fresh.querySelector("[data-toast]")?.content.firstElementChild;
      if (said && turn > toasted) {
        toasted = turn;
        toast(said, undoes);
      }
      if (mine === rereading) renew(fresh);
    } catch {
      // The console does not answer. The next reading shows what is true.
    }
  }

  // take shows the list that the stream brings. During a decision it does not: the line
  // of the decided case would come back until the server has answered, and then the list
  // is read again.
  function take(news) {
    if (news.lines === undefined || deciding > 0) return;
    rereading = undefined; // what is being read may be older than this
    const fresh = parse(news.lines, "[data-queue-lines]");
    renewNotices(fresh.querySelector("[data-fresh-notices]"));
    renew(fresh);
  }

  // notice looks at the open case again when its line shows another holder or another
  // number of cases, or is gone: somebody else may have decided it or taken it over.
  let noticed;
  function notice(list) {
    const article = current();
    const line = article && list.querySelector(".queue-line.open");
    const now = line ? `${line.dataset.count} ${line.querySelector(".holder")?.textContent ?? ""}` : "";
    const before = noticed;
    noticed = { id: idOf(article), now };
    if (article && before?.id === noticed.id && before.now && before.now !== now) lookAgain(article);
  }

  // lookAgain says in a case that the person works on why it is no longer theirs. Another
  // case it shows as it is now, unless the person wrote something in it.
  async function lookAgain(article) {
    if (isMine(article)) {
      const lost = await hold(article);
      if (lost && article === current()) complain(article, lost);
      return;
    }
    const fresh = await read(pathOf(idOf(article))).catch(() => undefined);
    if (!fresh || article !== current() || isMine(article) || isDraft(article)) return;
    enhance(fresh);
    fresh.dataset.enhanced = "";
    const beforeAttributeUpdated = (name) => name !== "open"; // a fold that the person opened stays open
    Idiomorph.morph(article, fresh, { callbacks: { beforeAttributeUpdated } });
  }

  // renewNotices brings the notices above the list up to date. While they say the same
  // they stay, so that no screen reader reads out each minute of work.
  function renewNotices(template) {
    const old = document.querySelector("[data-notices]");
    const fresh = template.content.firstElementChild;
    template.remove();
    if (fresh.dataset.notices !== old.dataset.notices) Idiomorph.morph(old, fresh);
  }

  // renew brings the list up to date. While the pointer or the focus is in it, no line
  // moves: those that are gone stay, pale, and new ones wait.
  let waiting;
  function renew(fresh) {
    const old = page.querySelector("[data-queue-lines]");
    fresh.querySelector("[data-toast]")?.remove();
    mark(fresh);
    notice(fresh);
    for (const line of fresh.querySelectorAll("[data-row]")) line.tabIndex = -1;
    waiting = undefined;
    if (!old.matches(":hover") && !old.contains(document.activeElement)) {
      Idiomorph.morph(old, fresh);
      return;
    }
    waiting = fresh;
    for (const line of old.querySelectorAll(".queue-line")) {
      const now = fresh.querySelector("#" + CSS.escape(line.id));
      line.classList.toggle("gone", !now);
      if (now) Idiomorph.morph(line, now.cloneNode(true));
    }
  }

  function settle() {
    if (waiting) renew(waiting);
  }

  function toast(shown, undoes) {
    const toasts = document.querySelector(".toasts");
    for (const other of toasts.querySelectorAll(".toast")) other.remove();
    if (undoes) shown.dataset.undoes = undoes;
    toasts.append(shown);
    enhance(shown);
  }

  // ---- what the person does ----

  if (page) {
    on("click", "[data-queue] a[href^='/queue/']", (event, link) => {
      const id = /^\/queue\/(\d+)$/.exec(new URL(link.href).pathname)?.[1];
      if (!id || !isPlainClick(event)) return;
      event.preventDefault();
      open(id, "push");
    });

    on("submit", "form[data-decide]", (event, form) => {
      event.preventDefault();
      decide(form, event.submitter);
    });

    on("submit", "form[data-leave]", (event, form) => {
      event.preventDefault();
      const body = new URLSearchParams(new FormData(form, event.submitter));
      leave(form.closest("[data-case]"), () => send(form.action, body));
    });

    on("submit", "form[data-release]", async (event, form) => {
      event.preventDefault();
      ++opening;
      release(form.closest("[data-case]"));
      show(undefined, "push");
      reread();
    });

    on("submit", "form[data-claim]", (event, form) => {
      event.preventDefault();
      open(idOf(form.closest("[data-case]")), "");
    });

    on("submit", "form[data-next]", (event) => {
      event.preventDefault();
      openNext();
    });

    on("submit", "form[data-break]", async (event, form) => {
      event.preventDefault();
      const { refused } = await send(form.action);
      if (refused) {
        say(refused);
        return;
      }
      (document.querySelector("#case-title") || document.querySelector("#main")).focus({ preventScroll: true });
      reread();
    });

    // The undo of a decision opens its case again.
    on("submit", ".toast[data-undoes] form", async (event, form) => {
      event.preventDefault();
      sessionStorage.removeItem("place");
      const shown = form.closest(".toast");
      const { refused, response } = await send(form.action, new URLSearchParams(new FormData(form)));
      if (refused) {
        say(refused);
        return;
      }
      shown.remove();
      await open(shown.dataset.undoes, "push");
      reread(response.headers.get("X-Location"));
    });

    // With "the same for all" the next case is another author's.
    on("change", "[data-decide] [name=cases]", (_, box) => {
      prepare(box.checked ? box.closest("[data-case]").dataset.author : "");
    });

    on("click", "[data-decide] [data-fill] button", (_, button) => {
      button.closest("form").querySelector(".case-confirm").focus();
    });

    document.addEventListener("keydown", (event) => {
      const form = formOf(current());
      if (!form || event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
      const { key, target } = event;
      const control = event.ctrlKey || event.metaKey;
      const inText = target.matches("input:not([type=checkbox], [type=radio]), textarea, select");
      if (key === "Enter" && (control || decides(form, target))) {
        event.preventDefault();
        form.requestSubmit(form.querySelector(".case-confirm"));
      } else if (/^[1-6]$/.test(key) && !control && !event.altKey && !inText) {
        const chip = form.querySelectorAll("[data-fill] button")[key - 1];
        if (!chip) return;
        event.preventDefault();
        chip.click();
      }
    });

    // decides reports whether Enter on an element decides the case: in the field of the
    // reason always, elsewhere in the form or on nothing once outcome and reason are there.
    const decides = (form, target) => target.id === "case-reason" ||
      form.checkValidity() && (target === document.body || target.matches("#case-title, [data-decide] input"));

    page.querySelector(".queue-list").addEventListener("mouseleave", settle);
    page.querySelector(".queue-list").addEventListener("focusout", () => setTimeout(settle));

    addEventListener("popstate", () => {
      const id = /^\/queue\/(\d+)$/.exec(location.pathname)?.[1];
      if (id === idOf(current())) return;
      if (id) {
        open(id, "");
        return;
      }
      ++opening;
      release(current());
      show(undefined, "");
      reread();
    });

    addEventListener("pagehide", () => release(current()));
    addEventListener("pageshow", (event) => {
      if (event.persisted && current()) hold(current());
    });

    const alive = async () => {
      const article = current();
      if (document.visibilityState !== "visible" || !isMine(article) || Date.now() - claimedAt < signOfLife) return;
      const lost = await hold(article);
      if (lost) complain(article, lost);
      else prepare(article.querySelector("[name=cases]:checked") ? article.dataset.author : "");
    };
    setInterval(alive, 10000);

    // The stream brings the list whenever it changes. Without one it is read now and then.
    let isLive = false;
    liveStream({
      address: () => "/queue/live" + filter(), name: "queue", take,
      show: (state) => {
        isLive = state === "on";
        if (state === "signed-out") say("You are signed out.");
      },
    });
    setInterval(() => { if (!isLive && document.visibilityState === "visible") reread(); }, 15000);
    document.addEventListener("visibilitychange", alive);

    document.addEventListener("DOMContentLoaded", async () => {
      const article = current();
      if (!article) return;
      article.dataset.enhanced = "";
      notice(page);
      showMessage(article);
      const refused = await hold(article);
      if (refused) open(idOf(article), "");
      else prepare();
    });
  }
}
