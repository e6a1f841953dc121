// Two things that the packages leave open: words of the copy button, and keys for wide formulas.

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

// A box that scrolls must be reachable by keyboard; one that does not should not stop the tab key.
const boxes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
document.querySelectorAll(".equation > .scrolls").forEach((box) => boxes.observe(box));
