/* What each head looks at: all of them small, one of them large, and how it comes about. */
(function (gpt) {
  "use strict";

  const { make, say, number, percent, drawMatrix } = gpt;
  const STAGES = ["scores", "masked", "weights", "weighted"];

  gpt.AttentionView = class {
    constructor(panel) {
      Object.assign(this, {
        panel,
        layer: panel.settings.layer ?? 0,
        head: panel.settings.head ?? 0,
      });
      this.maps = this.makeMaps();
      this.tokens = make("ol", { className: "live-tokens", "aria-label": say("tokens") });
      this.looks = make("p", { className: "live-looks", "aria-live": "polite" });
      this.stages = Object.fromEntries(
        STAGES.map((stage) => [stage, make("canvas", { role: "img" })]),
      );
      this.rows = make("tbody");
      this.unfolded = this.makeUnfolded();
      this.element = make(
        "details",
        { className: "live-attention", open: panel.opens("attention") },
        make("summary", {}, say("attention")),
        this.heads,
        make("p", { className: "live-hint" }, say("tokens")),
        this.tokens,
        this.looks,
        this.unfolded,
      );
      for (const details of [this.element, this.unfolded])
        details.addEventListener("toggle", () => this.update());
      gpt.roving(this.tokens, (at) => panel.pick(at));
      gpt.roving(
        this.heads,
        (at) => this.choose(Math.floor(at / this.nHead), at % this.nHead),
        () => this.nHead,
      );
    }

    /** One button for each head of each layer, with its attention as a small picture. */
    makeMaps() {
      const { n_layer, n_head } = this.panel.model.config;
      this.nHead = n_head;
      this.heads = make("div", {
        className: "live-heads",
        role: "group",
        "aria-label": say("heads"),
      });
      this.heads.style.setProperty("--live-columns", n_head);
      return Array.from({ length: n_layer * n_head }, (_, at) => {
        const layer = Math.floor(at / n_head),
          head = at % n_head,
          canvas = make("canvas");
        const name = say("head", { layer, head });
        const button = make("button", { type: "button", "aria-label": name, title: name }, canvas);
        button.addEventListener("click", () => this.choose(layer, head));
        this.heads.append(button);
        return { layer, head, canvas, button };
      });
    }

    makeUnfolded() {
      const figures = STAGES.map((stage) =>
        make(
          "figure",
          {},
          make("span", { className: "live-frame" }, this.stages[stage]),
          make("figcaption", {}, say(stage)),
        ),
      );
      this.caption = make("caption");
      const titles = [say("key"), say("scores"), say("masked"), say("weights"), say("norm")];
      const table = make(
        "table",
        {},
        this.caption,
        make(
          "thead",
          {},
          make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title))),
        ),
        this.rows,
      );
      return make(
        "details",
        { className: "live-unfold", open: this.panel.opens("unfold") },
        make("summary", {}, say("unfold")),
        make("div", { className: "live-stages" }, ...figures),
        make(
          "div",
          { className: "live-scrolls", tabIndex: 0, role: "group", "aria-label": say("unfold") },
          table,
        ),
      );
    }

    get cache() {
      return this.panel.cache.layers[this.layer];
    }

    choose(layer, head) {
      Object.assign(this, { layer, head });
      this.update();
    }

    /** How much the token at one position looks at another, in the chosen head. */
    weight(query, key) {
      return key > query
        ? 0
        : this.cache.weights[this.head][query * this.panel.model.config.n_positions + key];
    }

    /** QKᵀ / √D at one position: asked for here only, so that the future has a score too. */
    score(query, key) {
      const { n_embd: C, n_head: H } = this.panel.model.config,
        D = C / H,
        column = this.head * D;
      let sum = 0;
      for (let d = column; d < column + D; d++)
        sum += this.cache.queries[query * C + d] * this.cache.keys[key * C + d];
      return sum / Math.sqrt(D);
    }

    /** Number d of the value of a token in this head, times its weight for the chosen token. */
    weighted(key, d) {
      const { n_embd: C, n_head: H } = this.panel.model.config;
      return (
        this.weight(this.panel.picked, key) * this.cache.values[key * C + (this.head * C) / H + d]
      );
    }

    update() {
      if (!this.element.open) return;
      const { ids, picked } = this.panel,
        S = this.panel.model.config.n_positions,
        n = ids.length;
      for (const { layer, head, canvas, button } of this.maps) {
        const chosen = layer === this.layer && head === this.head;
        const weights = this.panel.cache.layers[layer].weights[head];
        button.setAttribute("aria-pressed", chosen);
        button.tabIndex = chosen ? 0 : -1;
        drawMatrix(canvas, n, n, (row, column) => (column > row ? 0 : weights[row * S + column]));
      }
      this.updateTokens(ids, picked);
      const name = say("head", { layer: this.layer, head: this.head });
      const most = Array.from(ids.keys())
        .slice(0, picked + 1)
        .sort((a, b) => this.weight(picked, b) - this.weight(picked, a));
      const list = most
        .slice(0, 3)
        .map((at) => say("look", { ...this.named(at), weight: percent(this.weight(picked, at)) }));
      this.looks.textContent = say("looks", {
        head: name,
        ...this.named(picked),
        list: list.join(gpt.words.separator),
      });
      if (this.unfolded.open && !this.panel.running) this.updateUnfolded(ids, picked, name);
    }

    named(at) {
      return { token: gpt.shown(this.panel.tokenizer, this.panel.ids[at]), position: at + 1 };
    }

    /** The buttons are kept and renamed, so that the one in focus stays in focus. */
    updateTokens(ids, picked) {
      while (this.tokens.children.length > ids.length) this.tokens.lastChild.remove();
      for (let at = this.tokens.children.length; at < ids.length; at++) {
        const button = make("button", { type: "button" });
        button.addEventListener("click", () => this.panel.pick(at));
        this.tokens.append(make("li", {}, button));
      }
      [...this.tokens.querySelectorAll("button")].forEach((button, at) => {
        button.textContent = this.named(at).token;
        button.tabIndex = at === picked ? 0 : -1;
        button.setAttribute("aria-pressed", at === picked);
        button.style.setProperty("--live-share", `${100 * this.weight(picked, at)}%`);
      });
    }

    updateUnfolded(ids, picked, name) {
      const n = ids.length,
        D = this.panel.model.config.n_embd / this.nHead;
      const scores = Array.from(ids, (_, query) =>
        Array.from(ids, (_, key) => this.score(query, key)),
      );
      const values = Array.from({ length: picked + 1 }, (_, key) =>
        Array.from({ length: D }, (_, d) => this.weighted(key, d)),
      );
      const largest = (rows) => Math.max(...rows.map((row) => Math.max(...row.map(Math.abs))));
      const most = largest(scores),
        longest = largest(values);
      drawMatrix(this.stages.scores, n, n, (row, column) => scores[row][column] / most, picked);
      drawMatrix(
        this.stages.masked,
        n,
        n,
        (row, column) => (column > row ? null : scores[row][column] / most),
        picked,
      );
      drawMatrix(
        this.stages.weights,
        n,
        n,
        (row, column) => (column > row ? null : this.weight(row, column)),
        picked,
      );
      drawMatrix(
        this.stages.weighted,
        picked + 1,
        D,
        (row, column) => values[row][column] / longest,
      );
      for (const stage of STAGES) {
        const what = `${name}: ${say(stage)}`,
          key = stage === "weighted" ? "weighted-map" : "map";
        const sizes = { n: stage === "weighted" ? picked + 1 : n, width: D, chosen: picked + 1 };
        this.stages[stage].setAttribute("aria-label", say(key, { what, ...sizes }));
      }
      this.caption.textContent = say("unfolded", { position: picked + 1 });
      this.rows.replaceChildren(
        ...Array.from(ids, (_, key) => {
          const visible = key <= picked,
            cells = [number(scores[picked][key], 2), say(visible ? "visible" : "hidden")];
          const norm = visible ? Math.hypot(...values[key]) : 0;
          cells.push(percent(this.weight(picked, key)), number(norm, 3));
          const { token, position } = this.named(key);
          return make(
            "tr",
            { className: visible ? "" : "live-cut" },
            make("th", { scope: "row" }, `${position} ${token}`),
            ...cells.map((cell) => make("td", {}, cell)),
          );
        }),
      );
    }
  };
})((globalThis.gpt ??= {}));
