/* The panel: a prompt, how to choose, the next token, and the loop that writes. */
(function (gpt) {
  "use strict";

  const { make, say, number } = gpt;
  const DEFAULTS = {
    temperature: 1,
    "top-k": 0,
    "top-p": 1,
    greedy: false,
    seed: 1,
    length: 40,
    cache: true,
  };
  const BREATH = 30; // milliseconds after which writing lets the page draw and answer
  let panels = 0;

  gpt.Panel = class {
    constructor(box, model, tokenizer) {
      this.settings = { ...DEFAULTS, ...JSON.parse(box.dataset.settings) };
      Object.assign(this, { box, model, tokenizer, name: `live-${++panels}`, running: false });
      this.cache = new gpt.KVCache(model.config);
      this.status = box.querySelector(".live-status");
      this.makeControls();
      this.nextTokens = new gpt.NextTokenView(this);
      this.attention = new gpt.AttentionView(this);
      this.cost = new gpt.CostView(this);
      box.querySelectorAll(".live-prompt, .live-start").forEach((element) => element.remove());
      this.status.before(this.prompt.row, this.buttons, this.choosing);
      box.append(this.nextTokens.element, this.attention.element, this.cost.element);
      const redraw = new MutationObserver(() => this.attention.update());
      redraw.observe(document.documentElement, { attributeFilter: ["data-theme"] });
      this.reset();
      this.prompt.input.focus();
      box.panel = this;
    }

    opens(section) {
      return (this.settings.open ?? []).includes(section);
    }

    /** A labelled control. Its value is written beside it, and read out by screen readers. */
    field(key, input, ...after) {
      input.id = `${this.name}-${key}`;
      const row = make(
        "div",
        { className: "live-field" },
        make("label", { htmlFor: input.id }, say(key)),
        input,
        ...after,
      );
      return { input, row };
    }

    slider(key, min, max, step, written) {
      const value = make("span", { className: "live-value", "aria-hidden": "true" });
      const { input, row } = this.field(
        key,
        make("input", { type: "range", min, max, step }),
        value,
      );
      const write = () => {
        value.textContent = written(Number(input.value));
        input.setAttribute("aria-valuetext", value.textContent);
      };
      input.addEventListener("input", () => {
        write();
        this.nextTokens.update();
      });
      return { input, row, write };
    }

    makeControls() {
      this.prompt = this.field("prompt", make("textarea", { rows: 4, spellcheck: false }));
      this.prompt.input.addEventListener("input", () => this.read());
      this.prompt.input.addEventListener("focus", () => this.stop()); // the reader has the pen
      const note = make(
        "p",
        { id: `${this.name}-note`, className: "live-hint" },
        say("prompt-note"),
      );
      this.prompt.input.setAttribute("aria-describedby", note.id);
      this.prompt.row.append(note);
      const button = (key, action) => {
        const element = make("button", { type: "button" }, say(key));
        element.addEventListener("click", action);
        return element;
      };
      this.writeButton = button("generate", () => (this.running ? this.stop() : this.write()));
      this.buttons = make(
        "div",
        { className: "live-buttons" },
        button("next", () => this.write(1)),
        this.writeButton,
        button("reset", () => this.reset()),
      );
      this.makeChoosing();
    }

    makeChoosing() {
      const off = (value) => (value ? String(value) : say("none"));
      const { vocab_size: V, n_positions: S } = this.model.config;
      this.fields = {
        greedy: this.field("greedy", make("input", { type: "checkbox" })),
        temperature: this.slider("temperature", 0.05, 3, 0.05, (value) => value.toFixed(2)),
        "top-k": this.slider("top-k", 0, 100, 1, off),
        "top-p": this.slider("top-p", 0.05, 1, 0.05, (value) =>
          value < 1 ? value.toFixed(2) : say("none"),
        ),
        seed: this.field("seed", make("input", { type: "number", min: 0, max: 2 ** 32 - 1 })),
        length: this.field("length", make("input", { type: "number", min: 1, max: 4 * S })),
        cache: this.field("use-cache", make("input", { type: "checkbox" })),
      };
      this.fields["top-k"].input.max = Math.min(100, V);
      this.fields.greedy.input.addEventListener("input", () => this.nextTokens.update());
      this.fields.seed.input.addEventListener("input", () => this.reseed());
      this.choosing = make(
        "fieldset",
        {},
        make("legend", {}, say("sampling")),
        ...Object.values(this.fields).map((field) => field.row),
      );
    }

    /** Puts back the prompt and the settings of the page. */
    reset() {
      for (const [key, { input, write }] of Object.entries(this.fields)) {
        if (input.type === "checkbox") input.checked = this.settings[key];
        else input.value = this.settings[key];
        write?.();
      }
      this.prompt.input.value = this.settings.prompt;
      this.cost.reset();
      this.cache.ids = [];
      this.reseed();
      this.read();
    }

    reseed() {
      this.random = gpt.randomNumbers(Number(this.fields.seed.input.value));
    }

    get choice() {
      const value = (key) => Number(this.fields[key].input.value);
      if (this.fields.greedy.input.checked) return { temperature: 0 };
      return {
        temperature: value("temperature"),
        topK: value("top-k") || null,
        topP: value("top-p"),
      };
    }

    /** The text as the reader has left it, as tokens. A document begins with the end of another. */
    read() {
      this.running = false;
      this.turn = null; // whatever is being written stops here
      this.writeButton.textContent = say("generate");
      const ids = this.tokenizer.encode(this.prompt.input.value);
      this.all = ids.length ? ids : [0];
      this.compute();
      this.show();
      const S = this.model.config.n_positions,
        read = say("read", { n: ids.length });
      this.status.textContent = ids.length > S ? `${read} ${say("window", { n: S })}` : read;
    }

    /** One pass through the model: logits of the next token, and what the passes cost. */
    compute() {
      const useCache = this.fields.cache.input.checked;
      this.ids = this.all.slice(-this.model.config.n_positions);
      this.picked = this.ids.length - 1;
      if (!useCache) this.cache.ids = [];
      const positions = this.ids.length - this.cache.reusable(this.ids);
      const start = performance.now();
      this.logits = this.model.forward(this.ids, this.cache, false);
      this.cost.add(useCache, positions, this.ids.length, performance.now() - start);
    }

    show() {
      this.nextTokens.update();
      this.attention.update();
      this.cost.update();
    }

    pick(at) {
      this.picked = at;
      this.attention.update();
    }

    /** Appends one token that the reader, or the loop, has chosen. */
    append(id) {
      this.all.push(id);
      this.compute();
      this.prompt.input.value = this.tokenizer.decode(this.all);
      if (!this.running) this.show();
    }

    stop() {
      this.running = false;
    }

    /** The loop of the chapter: a distribution, a choice, one token more, and again. */
    async write(length = Number(this.fields.length.input.value)) {
      if (this.running || !(length > 0)) return;
      const start = this.all.length,
        began = performance.now(),
        turn = (this.turn = {});
      let drawn = began,
        ended = false;
      this.running = true;
      this.writeButton.textContent = say("stop");
      while (this.running && this.turn === turn && this.all.length - start < length && !ended) {
        const id = gpt.sample(this.logits, this.choice, this.random());
        ended = id === 0;
        this.append(id);
        if (performance.now() - drawn < BREATH) continue;
        this.show();
        await new Promise((resolve) => setTimeout(resolve));
        drawn = performance.now();
      }
      if (this.turn === turn) this.finish(this.all.slice(start), performance.now() - began, ended);
    }

    finish(ids, time, ended) {
      this.running = false;
      this.writeButton.textContent = say("generate");
      this.show();
      const wrote = say(ended ? "ended" : "wrote", {
        n: ids.length,
        rate: number((1000 * ids.length) / time),
      });
      const text = `${say("written")}: ${this.tokenizer.decode(ids)}`;
      this.status.replaceChildren(
        wrote,
        make("span", { className: "visually-hidden" }, ` ${text}`),
      );
      this.prompt.input.scrollTop = this.prompt.input.scrollHeight;
    }
  };
})((globalThis.gpt ??= {}));
