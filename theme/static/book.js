// What the packages leave open: words, buttons, the other edition, what is wide, paper, and haste.

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

// What the buttons do is not in their attributes, where a policy may forbid it.
const PRESSED = {
  "window.print()": () => print(),
  "toggleFullScreen()": () => toggleFullScreen(),
};
document.querySelectorAll("[data-press]").forEach((button) => {
  button.addEventListener("click", PRESSED[button.dataset.press]);
});

// The other edition is opened where the reader is: at a section of the same number, as those of
// its own language have other names, or at a figure, an equation, an object of the same name.
const SECTIONS = "article section[id]";
const numbered = location.hash.match(/^#section-(\d+)$/);
if (numbered) {
  const section = document.querySelectorAll(SECTIONS)[numbered[1]];
  if (section) location.replace(`#${section.id}`);
}
function placeOf(hash) {
  try {
    return document.getElementById(decodeURIComponent(hash.slice(1)));
  } catch {
    return null; // no name that can be read
  }
}
function keepPlace() {
  const place = placeOf(location.hash);
  const section = place?.matches("section, section > span, dt[id^=term-]") && place.closest(SECTIONS);
  const number = [...document.querySelectorAll(SECTIONS)].indexOf(section);
  document.querySelectorAll("a.language-switch").forEach((link) => {
    link.hash = section ? `section-${number}` : location.hash;
    link.search = location.search;
  });
}
addEventListener("hashchange", keepPlace);
keepPlace();

// A box that scrolls must be reachable by keyboard; one that does not should not stop the tab key.
// The theme sees to some of them, but late. On which sides there is more, book.css shows.
function tellMore(box) {
  const last = box.scrollWidth - box.clientWidth - 1; // a part of a pixel is no more
  const sides = { left: box.scrollLeft > 1, right: box.scrollLeft < last };
  const more = Object.keys(sides).filter((side) => sides[side]).join(" ");
  if (last > 0 && more) box.dataset.more = more;
  else delete box.dataset.more;
}
const boxes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    tellMore(target);
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
document.querySelectorAll(".scrolls, .pst-scrollable-table-container, article pre").forEach((box) => {
  boxes.observe(box);
  box.addEventListener("scroll", () => tellMore(box), { passive: true });
});

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
// Until then book.css hides the buttons that they answer.
const scripts = ["bootstrap", "pydata-sphinx-theme"].map(
  (name) => new URL(`scripts/${name}.js`, document.currentScript.src).href,
);
function addScripts() {
  const all = Promise.all(scripts.map((src) => loadScript(src)));
  return all.then(() => (document.documentElement.dataset.awake = ""));
}
addEventListener("load", () =>
  requestAnimationFrame(() =>
    setTimeout(() => addScripts().catch(addScripts).catch((error) => tellFault(error.message))),
  ),
);
