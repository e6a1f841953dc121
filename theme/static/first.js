// What every page does before it is drawn: a place to store in, the theme, and word of what failed.

(() => {
  "use strict";

  // Where nothing may be stored (blocked cookies, a sandboxed frame), a page remembers for itself.
  for (const name of ["localStorage", "sessionStorage"]) {
    try {
      window[name].setItem("book", "");
      window[name].removeItem("book");
    } catch {
      const kept = new Map();
      const value = {
        getItem: (key) => kept.get(key) ?? null,
        setItem: (key, text) => void kept.set(key, String(text)),
        removeItem: (key) => void kept.delete(key),
      };
      Object.defineProperty(window, name, { value, configurable: true });
    }
  }

  // The theme's own script comes late: without this, a page in the dark would begin in the light.
  const { dataset } = document.documentElement;
  dataset.mode = localStorage.getItem("mode") || dataset.theme;
  dataset.theme = localStorage.getItem("theme") || dataset.theme;
  if (dataset.theme === "auto") {
    dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  const WORDS = {
    ja: (names) =>
      `このページの一部（${names}）を読み込めなかったか、ここでは動かない。文章と図表はそのまま読める。もう一度試すには、ページを読み込み直すこと。`,
    en: (names) =>
      `A part of this page (${names}) did not load, or does not work here. The text and figures can be read as they are. To try again, reload the page.`,
  };
  const failed = new Set();

  // Say on the page, once for each file, what is missing.
  function tellFault(url) {
    failed.add(url.replace(/[?#].*/, "").replace(/.*\//, ""));
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", write);
    else write();
  }

  function write() {
    const note = document.querySelector(".page-fault") ?? document.createElement("p");
    note.className = "page-fault";
    note.setAttribute("role", "alert");
    note.textContent = (WORDS[document.documentElement.lang] ?? WORDS.en)([...failed].join(", "));
    document.querySelector("article, main").prepend(note);
  }

  // Files of the book that did not come, and scripts of it that stopped. Who asks for a script later
  // has words of its own.
  const edition = document.currentScript.src.replace(/[^/]*\/[^/]*$/, "");
  const isOwn = (url) => url?.startsWith(edition) && /\.js(\?|$)/.test(url);
  const asked = new Map();
  function hear({ target, filename }) {
    const ofPage = target !== window && target.matches?.("script, link[rel=stylesheet]");
    const url = ofPage ? target.src || target.href : isOwn(filename) && filename;
    if (url && !asked.has(url.replace(/\?.*/, ""))) tellFault(url);
  }
  addEventListener("error", hear, true);

  // Return a promise of a script that comes later. A failure is forgotten, so that who asks again
  // tries again, past any copy that the browser has kept of it.
  function loadScript(src, hasCome = () => true) {
    const entry = asked.get(src) ?? { tries: 0 };
    asked.set(src, entry);
    entry.promise ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      const fail = () => {
        entry.promise = undefined;
        reject(Object.assign(new Error(src.replace(/.*\//, "")), { reason: "missing" }));
      };
      const url = entry.tries++ ? `${src}?${entry.tries}` : src;
      const onload = () => (hasCome() ? resolve() : fail());
      Object.assign(script, { src: url, async: false, onload, onerror: fail });
      document.head.append(script);
    });
    return entry.promise;
  }

  Object.assign(window, { loadScript, tellFault });
})();
