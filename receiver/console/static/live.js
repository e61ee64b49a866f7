// Puts what is stored meanwhile on top of a list. Without it the list has a link to what is newer.
(() => {
  "use strict";
  const bar = document.querySelector("[data-live]");
  if (!bar || !window.EventSource) return;
  const SHOWN = 200;
  const root = document.documentElement.dataset.root;
  const row = document.getElementById("row");
  const rows = document.getElementById(bar.dataset.liveInto);
  const status = bar.querySelector("[data-live-status]");
  const pause = bar.querySelector("[data-live-pause]");
  const newer = bar.querySelector("[data-live-newer]");
  const place = new URL(bar.dataset.live, location.href);
  let source = null;
  let skipped = 0;

  // A live region is read aloud: it says that the state changed, and not each row.
  const say = (text) => { if (status.textContent !== text) status.textContent = text; };
  const following = () => say(skipped ? `Following; ${skipped.toLocaleString("en")} skipped` : "Following");
  const filled = (event) => {
    const made = row.content.cloneNode(true);
    const fields = { ...event, ago: "just now", by: event.origin === "push" ? "" : `by ${event.origin}` };
    for (const one of made.querySelectorAll("[data-text]")) one.textContent = fields[one.dataset.text] ?? "–";
    for (const one of made.querySelectorAll("[data-href]")) {
      const path = fields[one.dataset.href];
      if (path) one.setAttribute("href", root + path);
    }
    for (const one of made.querySelectorAll("[data-time]")) {
      one.dateTime = fields.at;
      one.title = fields.absolute;
    }
    return made;
  };
  const start = () => {
    source = new EventSource(place);
    source.addEventListener("open", following);
    source.addEventListener("error", () => say(source?.readyState === EventSource.CLOSED
      ? "The console refuses: load the page again" : "The console does not answer; trying again"));
    source.addEventListener("away", () => say("NATS does not answer; trying again"));
    source.addEventListener("skipped", (message) => { skipped += JSON.parse(message.data).count; following(); });
    source.addEventListener("row", (message) => {
      following();
      place.searchParams.set("after", message.lastEventId);
      rows.prepend(filled(JSON.parse(message.data)));
      while (rows.rows.length > SHOWN) rows.rows[rows.rows.length - 1].remove();
    });
  };
  const stop = () => { source?.close(); source = null; };

  newer.hidden = true;
  pause.hidden = false;
  let paused = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    if (paused) { stop(); say("Paused"); } else start();
    pause.setAttribute("aria-pressed", String(paused));
  });
  // Over HTTP/1.1 a browser has six connections to a host: tabs in the background hold none.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stop(); else if (!paused && !source) start();
  });
  addEventListener("pagehide", () => source?.close());
  if (!document.hidden) start();
})();
