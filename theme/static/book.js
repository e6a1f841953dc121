// What the packages leave open: words, search from disk, keys for what is wide, paper, and haste.

// sphinx-copybutton has no Japanese; its words are global and are read when the page has loaded.
if (typeof messages !== "undefined" && document.documentElement.lang === "ja") {
  messages.ja = {
    copy: "コピー",
    copy_to_clipboard: "クリップボードへコピー",
    copy_success: "コピーした",
    copy_failure: "コピーできなかった",
  };
  locale = "ja";
}

// Sphinx has the words of the search page, but these two are empty in Japanese.
if (typeof Documentation !== "undefined" && document.documentElement.lang === "ja") {
  Object.assign(Documentation.TRANSLATIONS, {
    "Search finished, found ${resultCount} page(s) matching the search query.":
      "${resultCount} 件のページが見つかった。",
    ", in ": "、",
  });
}

// Pages opened from disk may not read each other, so search lists them without excerpts.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// A box that scrolls must be reachable by keyboard; one that does not should not stop the tab key.
const boxes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
document.querySelectorAll(".scrolls").forEach((box) => boxes.observe(box));

// Search engines want the whole addresses of the editions, which a page knows only where it lies.
if (location.protocol !== "file:") {
  document.querySelectorAll("link[hreflang]").forEach((link) => link.setAttribute("href", link.href));
}

// Paper is white: a page in the dark is printed in the colours of the light.
const paper = matchMedia("print");
let onScreen = null;
function dressForPaper() {
  const { dataset } = document.documentElement;
  if (paper.matches && dataset.theme === "dark") [onScreen, dataset.theme] = ["dark", "light"];
  if (!paper.matches && onScreen) [dataset.theme, onScreen] = [onScreen, null];
}
paper.addEventListener("change", dressForPaper);
new MutationObserver(dressForPaper).observe(document.documentElement, { attributeFilter: ["data-theme"] });
dressForPaper();

// The theme's scripts add to a page that can be read without them: they come when it is drawn.
const scripts = ["bootstrap", "pydata-sphinx-theme"].map(
  (name) => new URL(`scripts/${name}.js`, document.currentScript.src).href,
);
function addScripts() {
  for (const src of scripts) {
    document.body.append(Object.assign(document.createElement("script"), { src, async: false }));
  }
}
addEventListener("load", () => requestAnimationFrame(() => setTimeout(addScripts)));
