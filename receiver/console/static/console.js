// Keys and the way times are shown. Every page works without it.
(() => {
  "use strict";
  const root = document.documentElement;
  const TIMES = ["age", "utc", "china"];
  const KEPT = "yizhan-times";

  const kept = () => {
    try { return localStorage.getItem(KEPT); } catch { return null; }
  };
  const show = (times) => {
    root.dataset.times = times;
    try { localStorage.setItem(KEPT, times); } catch { /* private browsing */ }
  };
  if (TIMES.includes(kept())) root.dataset.times = kept();

  const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent);
  const step = (by) => {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by));
    all[next].focus();
  };
  const help = () => document.getElementById("keys")?.showModal();

  let going = 0;
  const onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, textarea, select, dialog, [contenteditable]")) return;
    const { key } = event;
    if (going && Date.now() - going < 1500) {
      going = 0;
      const link = /^[a-z]$/.test(key) && document.querySelector(`nav [data-key="${key}"]`);
      if (link) { event.preventDefault(); link.click(); return; }
    }
    going = 0;
    const acts = {
      "/": () => document.getElementById("q")?.focus(),
      g: () => { going = Date.now(); },
      j: () => step(1),
      k: () => step(-1),
      t: () => show(TIMES[(TIMES.indexOf(root.dataset.times || "age") + 1) % TIMES.length]),
      "?": help,
    };
    if (Object.hasOwn(acts, key)) { event.preventDefault(); acts[key](); }
  };
  document.addEventListener("keydown", onKey);
  document.getElementById("keys")?.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.currentTarget.close();
  });
  for (const button of document.querySelectorAll("[data-help]")) {
    button.hidden = false;
    button.addEventListener("click", help);
  }
})();
