// liveStream keeps a stream of server-sent events open while the tab is visible, and
// opens a lost one again. address returns its address. take gets the data of each
// event with the name. show gets the state of the stream: on, lost, hidden, or why the
// server ended it, signed-out or elsewhere.
function liveStream({ address, name, take, show }) {
  const longestPause = 30000; // between two tries, in milliseconds
  const longestSilence = 40000; // of a stream that works: the server writes at least every 20 s

  let source, nextTry, watchdog, ended;
  let pause = 1000;

  function disconnect() {
    source?.close();
    source = undefined;
    clearTimeout(nextTry);
    clearTimeout(watchdog);
  }

  function connect() {
    disconnect();
    if (!window.EventSource || document.visibilityState !== "visible") return;
    ended = undefined;
    source = new EventSource(address());
    source.onopen = () => { show("on"); alive(); };
    source.onerror = () => tryAgain();
    source.addEventListener(name, (event) => {
      pause = 1000;
      alive();
      take(JSON.parse(event.data));
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
    show("lost");
    nextTry = setTimeout(connect, pause * (0.5 + Math.random()));
    pause = Math.min(2 * pause, longestPause);
  }

  function end(why) {
    disconnect();
    ended = why;
    show(why);
  }

  function follow() {
    if (document.visibilityState === "visible") {
      if (!source && ended !== "signed-out") connect();
    } else if (!ended) {
      disconnect();
      show("hidden");
    }
  }

  connect();
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", (event) => { if (event.persisted) follow(); });
  return { connect };
}

// The stream that keeps an open board up to date. The server sends the changes
// of the page, board.js shows them.
{
  const region = document.querySelector("[data-live]");
  const board = region && movingBoard(region, () => stream.connect());
  const labels = {
    on: ["on", "Live"], lost: ["off", "Reconnecting…"], hidden: ["off", "Paused"],
    "signed-out": ["ended", "Signed out"], elsewhere: ["ended", "Paused: open in other windows"],
  };

  let stream;
  let state;
  // When the server last sent its time, by the clock of the browser. The two
  // clocks may differ.
  let updatedAt = Date.now();

  function showState(now) {
    state = now;
    const label = document.querySelector("[data-live-state]");
    [label.dataset.liveState, label.textContent] = labels[state];
    document.querySelector("[data-live-resume]").hidden = label.dataset.liveState !== "ended";
  }

  function address() {
    const live = new URL(region.dataset.live, location.href);
    live.searchParams.set("have", board.fingerprints());
    return live;
  }

  function take(news) {
    showTime(news.as_of);
    board.update(news);
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
    stream = liveStream({ address, name: "board", take, show: showState });
    setInterval(() => { if (document.visibilityState === "visible") showAge(); }, 15000);
    on("click", "[data-live-resume]", () => {
      if (state === "signed-out") location.reload();
      else stream.connect();
    });
  }
}
