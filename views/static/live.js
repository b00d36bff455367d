// The stream that keeps an open board up to date. The server sends the changes
// of the page, board.js shows them. Only a visible tab has a stream.
{
  const region = document.querySelector("[data-live]");
  const board = region && movingBoard(region, () => connect());
  const longestPause = 30000; // between two tries, in milliseconds
  const longestSilence = 40000; // of a stream that works: the server writes every 20 s

  let source, nextTry, watchdog, ended;
  let pause = 1000;
  // When the server last sent its time, by the clock of the browser. The two
  // clocks may differ.
  let updatedAt = Date.now();

  function state(name, title) {
    const label = document.querySelector("[data-live-state]");
    label.textContent = title;
    label.dataset.liveState = name;
    document.querySelector("[data-live-resume]").hidden = name !== "ended";
  }

  function disconnect() {
    source?.close();
    source = undefined;
    clearTimeout(nextTry);
    clearTimeout(watchdog);
  }

  function connect() {
    disconnect();
    if (document.visibilityState !== "visible") return;
    ended = undefined;
    const address = new URL(region.dataset.live, location.href);
    address.searchParams.set("have", board.fingerprints());
    source = new EventSource(address);
    source.onopen = () => { state("on", "Live"); alive(); };
    source.onerror = () => tryAgain();
    source.addEventListener("board", (event) => {
      pause = 1000;
      alive();
      const news = JSON.parse(event.data);
      showTime(news.as_of);
      board.update(news);
    });
    source.addEventListener("over", (event) => {
      if (event.data === "signed-out" || event.data === "elsewhere") end(event.data);
      else tryAgain();
    });
  }

  function alive() {
    clearTimeout(watchdog);
    watchdog = setTimeout(tryAgain, longestSilence);
  }

  // The first event of a new stream holds all changes that were missed.
  function tryAgain() {
    disconnect();
    state("off", "Reconnecting…");
    nextTry = setTimeout(connect, pause * (0.5 + Math.random()));
    pause = Math.min(2 * pause, longestPause);
  }

  function end(why) {
    disconnect();
    ended = why;
    state("ended", why === "signed-out" ? "Signed out" : "Paused: open in other windows");
  }

  function follow() {
    if (document.visibilityState === "visible") {
      if (!source && ended !== "signed-out") connect();
    } else if (!ended) {
      disconnect();
      state("off", "Paused");
    }
  }

  function showTime(at) {
    const time = document.querySelector("[data-as-of] time");
    time.dateTime = at.machine;
    time.title = at.exact;
    updatedAt = Date.now();
    showAge();
  }

  function showAge() {
    const time = document.querySelector("[data-as-of] time");
    const minutes = Math.floor((Date.now() - updatedAt) / 60000);
    if (minutes < 1) time.textContent = "just now";
    else if (minutes < 60) time.textContent = minutes === 1 ? "1 minute ago" : `${minutes} minutes ago`;
    else time.textContent = time.title;
  }

  if (region) {
    connect();
    document.addEventListener("visibilitychange", follow);
    addEventListener("pagehide", disconnect);
    addEventListener("pageshow", (event) => { if (event.persisted) follow(); });
    setInterval(() => { if (document.visibilityState === "visible") showAge(); }, 15000);
    on("click", "[data-live-resume]", () => {
      if (ended === "signed-out") location.reload();
      else connect();
    });
  }
}
