// Steppers: drawings of several steps, one at a time, by buttons, a slider or the arrow keys.
// Without this script, and on paper, all steps stand below each other, numbered.
(() => {
  "use strict";

  const WORDS = {
    ja: { previous: "前へ", play: "再生", pause: "停止", next: "次へ", slider: "ステップ" },
    en: { previous: "Previous", play: "Play", pause: "Pause", next: "Next", slider: "Step" },
  };
  const READING = { ja: 90, en: 45 }; // milliseconds for a letter of what a step says
  const SHORTEST = 2000; // milliseconds that a step is seen
  const { lang } = document.documentElement;
  const words = WORDS[lang] ?? WORDS.en;
  const noMotion = matchMedia("(prefers-reduced-motion: reduce)");

  function make(tag, properties, attributes = {}) {
    const element = Object.assign(document.createElement(tag), properties);
    Object.entries(attributes).forEach((pair) => element.setAttribute(...pair));
    return element;
  }

  function start(stepper) {
    const list = stepper.querySelector("ol");
    const steps = [...list.children];
    const last = steps.length - 1;
    const says = (n) => steps[n].querySelector("p").textContent;
    let at = 0;
    let timer;

    const [previous, play, next] = ["previous", "play", "next"].map((name) =>
      make("button", { type: "button", className: `stepper-${name}`, textContent: words[name] }),
    );
    const range = { type: "range", min: 1, max: steps.length, step: 1, value: 1, autocomplete: "off" };
    const slider = make("input", range, { "aria-label": words.slider });
    const count = make("span", { className: "stepper-count" }, { "aria-hidden": "true" });
    const sentence = make("p", { className: "stepper-says" }, { "aria-live": "polite" });
    const controls = make("div", { className: "stepper-controls" });

    function show(n) {
      at = Math.min(Math.max(n, 0), last);
      steps.forEach((step, place) => step.classList.toggle("shown", place === at));
      count.textContent = `${at + 1} / ${steps.length}`;
      slider.value = at + 1;
      slider.setAttribute("aria-valuetext", count.textContent);
      previous.setAttribute("aria-disabled", at === 0);
      next.setAttribute("aria-disabled", at === last);
      if (sentence.textContent !== says(at)) sentence.textContent = says(at);
    }

    function stop() {
      clearTimeout(timer);
      timer = undefined;
      play.textContent = words.play;
    }

    function goOn() {
      const time = Math.max(SHORTEST, says(at).length * (READING[lang] ?? READING.en));
      timer = setTimeout(() => {
        show(at + 1);
        if (at < last) goOn();
        else stop();
      }, time);
      play.textContent = words.pause;
    }

    function press() {
      if (timer) return stop();
      if (at === last) show(0);
      goOn();
    }

    // Whatever else the reader touches stops the play.
    const interrupt = ({ target }) => target !== play && stop();
    const KEYS = { ArrowLeft: () => at - 1, ArrowRight: () => at + 1, Home: () => 0, End: () => last };
    function hear(event) {
      interrupt(event);
      const { key, altKey, ctrlKey, metaKey, shiftKey } = event;
      if (!KEYS[key] || altKey || ctrlKey || metaKey || shiftKey) return;
      event.preventDefault();
      stop();
      show(KEYS[key]());
    }

    // Who wants no motion steps by hand.
    function heed() {
      play.hidden = noMotion.matches;
      if (noMotion.matches) stop();
    }

    previous.addEventListener("click", () => show(at - 1));
    play.addEventListener("click", press);
    next.addEventListener("click", () => show(at + 1));
    slider.addEventListener("input", () => show(slider.valueAsNumber - 1));
    stepper.addEventListener("pointerdown", interrupt);
    stepper.addEventListener("keydown", hear);
    noMotion.addEventListener("change", heed);

    list.setAttribute("aria-hidden", "true"); // the line that is read out says it
    controls.append(previous, play, next, slider, count);
    stepper.append(sentence, controls);
    show(0);
    heed();
    stepper.classList.add("awake");
  }

  document.querySelectorAll(".stepper").forEach(start);
})();
