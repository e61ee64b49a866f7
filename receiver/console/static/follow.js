// Reads a part of the page anew once something of it is stored. Without it a link does that.
(() => {
  "use strict";
  const bar = document.querySelector("[data-follow]");
  if (!bar || !window.EventSource) return;
  const AT_MOST_MS = 1000;
  const SAID_MS = 5000;
  const status = bar.querySelector("[data-follow-status]");
  const pause = bar.querySelector("[data-follow-pause]");
  const place = new URL(bar.dataset.follow, location.href);
  const part = () => document.getElementById(bar.dataset.followPart);
  const entries = () => [...part().querySelectorAll("[data-entry]")];
  let source = null;
  let known = new Set(entries());
  let waiting = 0;
  let read = 0;
  let fresh = 0;
  let saying = 0;

  // A live region is read aloud: it says how many are new, and that not too often.
  const say = (text) => { if (status.textContent !== text) status.textContent = text; };
  const count = () => {
    saying = 0;
    if (fresh && source) say(`Following; ${fresh.toLocaleString("en")} new since you came`);
  };
  const renew = () => {
    waiting = 0;
    read = Date.now();
    part().dispatchEvent(new CustomEvent("stored"));
  };
  const stored = (message) => {
    place.searchParams.set("after", message.lastEventId);
    waiting ||= setTimeout(renew, Math.max(0, read + AT_MOST_MS - Date.now()));
  };
  const start = () => {
    source = new EventSource(place);
    source.addEventListener("open", () => say("Following"));
    source.addEventListener("error", () => say(source?.readyState === EventSource.CLOSED
      ? "The console refuses to be followed: load the page again" : "The console does not answer; trying again"));
    source.addEventListener("away", () => say("NATS does not answer; trying again"));
    source.addEventListener("stored", stored);
  };
  const stop = () => { source?.close(); source = null; };

  document.addEventListener("htmx:after:swap", () => {
    const now = entries();
    for (const one of now) {
      if (known.has(one)) continue;
      one.dataset.new = "";
      fresh += 1;
    }
    known = new Set(now);
    saying ||= setTimeout(count, SAID_MS);
  });
  bar.querySelector("[data-follow-again]").hidden = true;
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
