// The stream that keeps an open board up to date: the server says what changed
// of the page that is shown, see board.js. Only a tab that can be seen has one.
{
  const region = document.querySelector("[data-live]");
  const board = region && movingBoard(region, () => connect());
  const longest = 30000; // between two tries, in milliseconds
  const silence = 40000; // after which a stream is dead: it says something every 20 s

  let source, again, watchdog, ended;
  let pause = 1000;
  let told = Date.now(); // when the server last told its time, by the clock here: the two may differ

  function state(name, title) {
    const label = document.querySelector("[data-live-state]");
    label.textContent = title;
    label.dataset.liveState = name;
    document.querySelector("[data-live-resume]").hidden = name !== "ended";
  }

  function hangUp() {
    source?.close();
    source = undefined;
    clearTimeout(again);
    clearTimeout(watchdog);
  }

  function connect() {
    hangUp();
    if (document.visibilityState !== "visible") return;
    ended = undefined;
    const address = new URL(region.dataset.live, location.href);
    address.searchParams.set("have", board.have());
    source = new EventSource(address);
    source.onopen = () => { state("on", "Live"); alive(); };
    source.onerror = () => tryAgain();
    source.addEventListener("board", (event) => {
      pause = 1000;
      alive();
      const news = JSON.parse(event.data);
      tellTime(news.as_of);
      board.take(news);
    });
    source.addEventListener("over", (event) => {
      if (event.data === "signed-out" || event.data === "elsewhere") end(event.data);
      else tryAgain();
    });
  }

  function alive() {
    clearTimeout(watchdog);
    watchdog = setTimeout(tryAgain, silence);
  }

  // A new stream says by itself what was missed.
  function tryAgain() {
    hangUp();
    state("off", "Reconnecting…");
    again = setTimeout(connect, pause * (0.5 + Math.random()));
    pause = Math.min(2 * pause, longest);
  }

  function end(why) {
    hangUp();
    ended = why;
    state("ended", why === "signed-out" ? "Signed out" : "Paused: open in other windows");
  }

  function follow() {
    if (document.visibilityState === "visible") {
      if (!source && ended !== "signed-out") connect();
    } else if (!ended) {
      hangUp();
      state("off", "Paused");
    }
  }

  function tellTime(at) {
    const time = document.querySelector("[data-as-of] time");
    time.dateTime = at.machine;
    time.title = at.exact;
    told = Date.now();
    tellAge();
  }

  function tellAge() {
    const time = document.querySelector("[data-as-of] time");
    const minutes = Math.floor((Date.now() - told) / 60000);
    if (minutes < 1) time.textContent = "just now";
    else if (minutes < 60) time.textContent = minutes === 1 ? "1 minute ago" : `${minutes} minutes ago`;
    else time.textContent = time.title;
  }

  if (region) {
    connect();
    document.addEventListener("visibilitychange", follow);
    addEventListener("pagehide", hangUp);
    addEventListener("pageshow", (event) => { if (event.persisted) follow(); });
    setInterval(() => { if (document.visibilityState === "visible") tellAge(); }, 15000);
    on("click", "[data-live-resume]", () => {
      if (ended === "signed-out") location.reload();
      else connect();
    });
  }
}
