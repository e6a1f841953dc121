/* The button of the live model. Nothing of the model is loaded before a reader presses it, and
 * classic scripts, unlike modules, also load in pages that are opened from disk. */
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

  async function open(box) {
    const words = JSON.parse(box.dataset.words),
      status = box.querySelector(".live-status"),
      button = box.querySelector(".live-start"),
      closed = [...box.childNodes];
    const say = (key, detail) => {
      status.textContent = words[key].replace(/\{\w+\}/, detail);
    };
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    say("loading");
    let waits = true; // what comes after a failure is no news
    try {
      model ??= load((bytes) => waits && say("loaded-megabytes", (bytes / 1e6).toFixed(1)));
      const loaded = await model;
      new gpt.Panel(box, loaded.model, loaded.tokenizer);
    } catch (error) {
      model = undefined;
      waits = false;
      box.replaceChildren(...closed);
      say(words[error.reason] ? error.reason : "unknown", error.message);
      button.removeAttribute("aria-disabled");
    }
  }

  for (const box of document.querySelectorAll(".live-model")) {
    const button = box.querySelector(".live-start");
    button.addEventListener("click", () => open(box));
    button.classList.remove("needs-script");
  }
})((globalThis.gpt ??= {}));
