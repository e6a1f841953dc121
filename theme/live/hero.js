/* The hero: one line to write in, how the model goes on, and its first choices. The page has it
 * from theme/hero.py, with the first text; what is seen here is written over that. */
(function (gpt) {
  "use strict";

  const { make, say, percent } = gpt;
  const LENGTH = 24, // tokens that are written on; as in theme/hero.py
    LINES = 4,
    REST = 700; // milliseconds without a key after which a screen reader is told

  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const rest = () => new Promise((resolve) => setTimeout(resolve, REST));

  /** A token as it stands in a text; bytes that are no whole character as numbers. */
  function written(tokenizer, id) {
    const text = tokenizer.decode([id]);
    return text.includes("\uFFFD") ? gpt.shown(tokenizer, id) : text;
  }

  /** A token of the list; many blanks as their number, or else two tokens would look alike. */
  const listed = (tokenizer, id) =>
    gpt.shown(tokenizer, id).replace(/␣{4,}/g, (blanks) => `␣×${blanks.length}`);

  gpt.Hero = class {
    constructor(box, model, tokenizer) {
      const find = (name) => box.querySelector(`.hero-${name}`);
      Object.assign(this, { box, model, tokenizer, ghost: [], holdsTab: false });
      Object.assign(this, JSON.parse(box.dataset.settings));
      for (const name of ["text", "typed", "status"]) this[name] = find(name);
      this.bars = [...find("next").querySelectorAll("button")];
      this.line = find("ghost");
      this.cache = new gpt.KVCache(model.config);
      this.text.addEventListener("keydown", (event) => this.answer(event));
      this.text.addEventListener("input", (event) => {
        this.holdsTab = true;
        this.empty();
        if (!event.isComposing) this.read();
      });
      this.text.addEventListener("compositionend", () => this.read());
      this.text.addEventListener("blur", () => (this.holdsTab = false));
      this.line.addEventListener("click", ({ target }) => this.acceptTo(target));
      this.read();
      box.hero = this;
    }

    /** What a button does; start.js passes on also those that were pressed while it loaded. */
    press(button) {
      if (button.dataset.prompt !== undefined) this.text.value = button.dataset.prompt;
      else if (button.matches(".hero-again")) this.seed += 1;
      else return this.append(Number(button.dataset.id));
      this.read();
    }

    /** The text as the reader has left it. A document begins with the end of another. */
    read() {
      const ids = this.tokenizer.encode(this.text.value);
      this.all = ids.length ? ids : [0];
      this.typed.textContent = this.text.value;
      this.restart();
    }

    /** Nothing is written on, also while a word is being composed. */
    empty() {
      this.turn = null;
      this.ghost = [];
      this.line.replaceChildren();
    }

    restart() {
      this.empty();
      this.random = gpt.randomNumbers(this.seed);
      this.write();
    }

    /** Shows the first choices, then writes on, a token a frame, until something else is wanted. */
    async write() {
      const turn = (this.turn = {});
      await frame(); // keys that come in between are read together
      if (this.turn !== turn) return;
      const logits = this.ghost[0]?.logits ?? this.logits();
      this.showNext(logits);
      while (!this.isFull && this.grow(this.ghost.length ? this.logits() : logits)) {
        await frame();
        if (this.turn !== turn) return;
      }
      await rest();
      if (this.turn === turn) this.tell();
    }

    /** The scores behind the end of the text and of what is written on, which fits as well. */
    logits() {
      const read = this.all.slice(LENGTH - this.model.config.n_positions);
      const ids = [...read, ...this.ghost.map(({ id }) => id)];
      return this.model.forward(ids, this.cache, false);
    }

    get isFull() {
      const lines = this.ghost.reduce((sum, { text }) => sum + text.split("\n").length - 1, 0);
      return this.ghost.length >= LENGTH || lines >= LINES;
    }

    /** One token more, tinted by its probability; false where the model ends the document. */
    grow(logits) {
      const id = gpt.sample(logits, { temperature: this.temperature }, this.random());
      if (id === 0) return false;
      const text = written(this.tokenizer, id);
      const element = make("span", {}, text);
      element.style.setProperty("--hero-share", `${100 * gpt.softmax(logits)[id]}%`);
      this.ghost.push({ id, text, element, logits });
      this.line.append(element);
      return true;
    }

    /** The bars stay the same buttons, so that one in use keeps the focus. */
    showNext(logits) {
      const shares = gpt.softmax(logits),
        likeliest = gpt.ranking(logits);
      this.bars.forEach((bar, place) => this.fill(bar, likeliest[place], shares[likeliest[place]]));
    }

    fill(bar, id, share) {
      const token = listed(this.tokenizer, id);
      bar.dataset.id = id;
      bar.setAttribute("aria-label", say("hero-append", { token, share: percent(share) }));
      bar.style.setProperty("--hero-share", `${100 * share}%`);
      bar.firstChild.textContent = token;
      bar.lastChild.textContent = percent(share);
    }

    /** Tab is the reader's way out, so it takes a token in only while one writes. */
    answer(event) {
      const { selectionStart, selectionEnd, value } = this.text;
      const isAtEnd = selectionStart === value.length && selectionEnd === value.length;
      if (event.key === "Escape") this.holdsTab = false;
      const isPlain = !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey;
      const accepts = event.key === "ArrowRight" || (event.key === "Tab" && this.holdsTab);
      if (!accepts || !isPlain || !isAtEnd || event.isComposing || !this.ghost.length) return;
      event.preventDefault();
      this.holdsTab = true;
      this.accept(1);
    }

    acceptTo(element) {
      const at = this.ghost.findIndex((token) => token.element === element);
      if (at >= 0) this.accept(at + 1);
      this.text.focus();
    }

    /** The first n tokens of what is written on become text; the rest stays, and grows. */
    accept(n) {
      const taken = this.ghost.splice(0, n);
      taken.forEach(({ element }) => element.remove());
      this.put(taken.map(({ id }) => id));
      this.write();
    }

    append(id) {
      if (this.ghost[0]?.id === id) return this.accept(1);
      this.put([id]);
      this.restart();
    }

    put(ids) {
      this.all = [...this.all, ...ids];
      this.text.value = this.typed.textContent = this.tokenizer.decode(this.all);
    }

    /** In a line that a screen reader speaks: what has been written on. */
    tell() {
      const { temperature, seed } = this;
      const told = say("hero-wrote", { n: this.ghost.length, temperature, seed });
      const ids = this.ghost.map(({ id }) => id);
      const text = make("span", { className: "visually-hidden" }, ` ${this.tokenizer.decode(ids)}`);
      this.status.replaceChildren(told, text);
    }
  };
})((globalThis.gpt ??= {}));
