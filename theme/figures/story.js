// Stories: on a wide page the picture stands still beside the text, and is that of the step which
// the reader has come to. Without this script, on paper, on phones and for readers who want no
// motion, each step has its picture below its question.
(() => {
  "use strict";

  const MIDDLE = { rootMargin: "-50% 0px -50% 0px" }; // the line in the middle of the window

  function start(story) {
    const steps = [...story.querySelectorAll("li")];
    const show = (shown) => steps.forEach((step) => step.classList.toggle("shown", step === shown));
    const watch = new IntersectionObserver((entries) => {
      const reached = entries.filter((entry) => entry.isIntersecting).pop();
      if (!reached) return;
      story.classList.add("moving"); // from here on pictures fade; at first they are there
      show(reached.target.parentElement);
    }, MIDDLE);
    story.querySelectorAll("p").forEach((text) => watch.observe(text));
    show(steps[0]);
    story.classList.add("awake");
  }

  document.querySelectorAll(".story").forEach(start);
})();
