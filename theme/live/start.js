/* The button of the live model, and what wakes the hero. Nothing of the model is loaded before a
 * reader touches one of them, and classic scripts, unlike modules, also load from disk. */
(function (gpt) {
  "use strict";

  const FOLDER = document.currentScript.src.replace(/[^/]*$/, "");
  let model; // what is loaded or being loaded, so that panels share it
  let tries = 0;

  /** The file as an ArrayBuffer. Who tries again may not be given the copy that was damaged. */
  async function download(report) {
    const options = { cache: tries++ ? "reload" : "default" };
    const response = await fetch(`${FOLDER}model.safetensors`, options);
    if (!response.ok) throw new Error(response.status);
    const chunks = [];
    let length = 0;
    for (const reader = response.body.getReader(); ; report(length)) {
      const { done, value } = await reader.read();
      if (done) return new Blob(chunks).arrayBuffer();
      length += value.length;
      chunks.push(value);
    }
  }

  /** Pages from disk, or in a sandboxed frame, may not fetch, so they read it as a script. */
  async function weights(report) {
    if (self.origin === "null") {
      await loadScript(`${FOLDER}weights.js`, () => gpt.weights);
      return Uint8Array.from(atob(gpt.weights), (character) => character.charCodeAt(0)).buffer;
    }
    return download(report).catch((error) => {
      throw Object.assign(new Error(error.message), { reason: "missing" });
    });
  }

  async function load(report) {
    const script = loadScript(`${FOLDER}live.js`, () => gpt.Panel);
    const [buffer] = await Promise.all([weights(report), script]);
    const sealed = await gpt.readSealed(buffer);
    return {
      model: new gpt.GPTLMHeadModel(sealed),
      tokenizer: new gpt.Tokenizer(sealed.facts.merges),
    };
  }

  /** Loads the model and lets a box be built with it; what fails is said, and undone. Returns
   *  whether the box stands. */
  async function serve(box, build, undo = () => {}) {
    const words = JSON.parse(box.dataset.words),
      status = box.querySelector("[role=status]");
    const say = (key, detail) => {
      status.textContent = words[key].replace(/\{\w+\}/, detail);
    };
    say("loading");
    let waits = true; // what comes after a failure is no news
    try {
      model ??= load((bytes) => waits && say("loaded-megabytes", (bytes / 1e6).toFixed(1)));
      const loaded = await model;
      waits = false;
      build(loaded.model, loaded.tokenizer);
      return true;
    } catch (error) {
      model = undefined;
      waits = false;
      undo();
      say(words[error.reason] ? error.reason : "unknown", error.message);
      return false;
    }
  }

  async function openPanel(box, button) {
    const closed = [...box.childNodes];
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    const undo = () => box.replaceChildren(...closed);
    const build = (...loaded) => new gpt.Panel(box, ...loaded);
    if (!(await serve(box, build, undo))) button.removeAttribute("aria-disabled");
  }

  /** A bar of the still as a button: without a script there is nothing to press. */
  function buttonOf(bar) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: bar.className });
    button.setAttribute("aria-label", bar.dataset.name);
    button.dataset.id = bar.dataset.id;
    button.style.cssText = bar.style.cssText;
    button.append(...bar.childNodes);
    return button;
  }

  /** The hero writes on from where the page stopped, once it is touched. */
  function wakeHero(box) {
    const text = box.querySelector(".hero-text");
    let pressed = null,
      opening = null;
    const touch = async ({ type, target }) => {
      const button = target.closest("button");
      if (type === "click" && button) pressed = button;
      if (!box.hero && (target === text || pressed)) {
        opening ??= serve(box, (...loaded) => new gpt.Hero(box, ...loaded));
        await opening;
        opening = null;
      }
      if (box.hero && pressed) box.hero.press(pressed);
      pressed = null;
    };
    text.addEventListener("input", () => {
      box.querySelector(".hero-typed").textContent = text.value;
      box.querySelector(".hero-ghost").replaceChildren();
    });
    for (const type of ["focusin", "input", "click"]) box.addEventListener(type, touch);
    text.readOnly = false;
    for (const bar of box.querySelectorAll(".hero-bar")) bar.replaceWith(buttonOf(bar));
    for (const button of box.querySelectorAll("button")) button.disabled = false;
    for (const part of box.querySelectorAll(".needs-script")) part.classList.remove("needs-script");
  }

  document.querySelectorAll(".hero").forEach(wakeHero);
  for (const box of document.querySelectorAll(".live-model")) {
    const button = box.querySelector(".live-start");
    button.addEventListener("click", () => openPanel(box, button));
    button.classList.remove("needs-script");
  }
})((globalThis.gpt ??= {}));
