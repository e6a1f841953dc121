/* The button of the live model. Nothing of the model is loaded before a reader presses it, and
 * classic scripts, unlike modules, also load in pages that are opened from disk. */
(function (gpt) {
  "use strict";

  const FOLDER = document.currentScript.src.replace(/[^/]*$/, "");
  const ready = new Map(); // what is loaded or being loaded, so that panels share it

  function once(name, load) {
    if (!ready.has(name))
      ready.set(
        name,
        load().catch((error) => {
          ready.delete(name);
          throw error;
        }),
      );
    return ready.get(name);
  }

  function script(name) {
    return once(
      `${name}.js`,
      () =>
        new Promise((resolve, reject) => {
          const failed = () => reject(Object.assign(new Error(name), { reason: "missing" }));
          document.head.append(
            Object.assign(document.createElement("script"), {
              src: `${FOLDER}${name}.js`,
              async: false,
              onload: resolve,
              onerror: failed,
            }),
          );
        }),
    );
  }

  /** The file as an ArrayBuffer: pages from disk may not fetch, so they read it as a script. */
  async function weights(report) {
    if (location.protocol === "file:") {
      await script("weights");
      return Uint8Array.from(atob(gpt.weights), (character) => character.charCodeAt(0)).buffer;
    }
    const response = await fetch(`${FOLDER}model.safetensors`).catch((error) => ({
      statusText: error.message,
    }));
    if (!response.ok)
      throw Object.assign(new Error(response.status ?? response.statusText), { reason: "missing" });
    const chunks = [];
    let length = 0;
    for (const reader = response.body.getReader(); ; report(length)) {
      const { done, value } = await reader.read();
      if (done) return new Blob(chunks).arrayBuffer();
      length += value.length;
      chunks.push(value);
    }
  }

  function load(report) {
    return once("model", async () => {
      const [buffer] = await Promise.all([weights(report), script("live")]);
      const sealed = await gpt.readSealed(buffer);
      return {
        model: new gpt.GPTLMHeadModel(sealed),
        tokenizer: new gpt.Tokenizer(sealed.facts.merges),
      };
    });
  }

  async function open(box) {
    const words = JSON.parse(box.dataset.words),
      status = box.querySelector(".live-status");
    const say = (key, detail) => {
      status.textContent = words[key].replace(/\{\w+\}/, detail);
    };
    const button = box.querySelector(".live-start");
    if (button.ariaDisabled === "true") return;
    button.ariaDisabled = "true";
    say("loading");
    try {
      const report = (bytes) => say("loaded-megabytes", (bytes / 1e6).toFixed(1));
      const { model, tokenizer } = await load(report);
      new gpt.Panel(box, model, tokenizer);
    } catch (error) {
      say(words[error.reason] ? error.reason : "unknown", error.message);
      button.ariaDisabled = null;
    }
  }

  for (const box of document.querySelectorAll(".live-model")) {
    box.querySelector(".live-start").addEventListener("click", () => open(box));
  }
})((globalThis.gpt ??= {}));
