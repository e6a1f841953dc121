/* Two tables of the panel: the probabilities of the next token, and what the passes cost. */
(function (gpt) {
  "use strict";

  const { make, say, number, percent } = gpt;
  const SHOWN = 12; // tokens in the table of probabilities

  const header = (...keys) => {
    const cells = keys.map((key) => make("th", { scope: "col" }, say(key)));
    return make("thead", {}, make("tr", {}, ...cells));
  };

  /** The likeliest tokens before and after the cuts; pressing one appends it. */
  gpt.NextTokenView = class {
    constructor(panel) {
      this.panel = panel;
      this.rows = make("tbody");
      this.kept = make("p", { className: "live-hint" });
      const caption = make("caption", {}, say("next-token"));
      const table = make("table", {}, caption, header("token", "model", "after"), this.rows);
      this.element = make("div", { className: "live-next" }, table, this.kept);
    }

    update() {
      const { logits, choice } = this.panel;
      const before = gpt.softmax(logits);
      const after = gpt.softmax(gpt.cut(logits, choice));
      const focused = this.buttons.indexOf(document.activeElement);
      const likeliest = gpt.ranking(logits).slice(0, SHOWN);
      this.rows.replaceChildren(...likeliest.map((id) => this.row(id, before[id], after[id])));
      if (focused >= 0) this.buttons[focused].focus();
      const kept = after.filter((share) => share > 0).length;
      const mass = before.reduce((sum, share, id) => sum + (after[id] > 0 ? share : 0), 0);
      const values = { vocabulary: number(after.length), kept: number(kept), mass: percent(mass) };
      this.kept.textContent = say("next-token-note", values);
    }

    get buttons() {
      return [...this.rows.querySelectorAll("button")];
    }

    row(id, before, after) {
      const token = gpt.shown(this.panel.tokenizer, id);
      const name = say("append", { token });
      const button = make("button", { type: "button", "aria-label": name }, token);
      button.addEventListener("click", () => this.panel.append(id));
      const bars = [before, after].map((share) => {
        const cell = make("td", {}, percent(share));
        cell.style.setProperty("--live-share", `${100 * share}%`);
        return cell;
      });
      const title = make("th", { scope: "row" }, button);
      return make("tr", { className: after ? "" : "live-cut" }, title, ...bars);
    }
  };

  /** How many positions were computed, and how long it took, with the KV cache and without. */
  gpt.CostView = class {
    constructor(panel) {
      this.rows = make("tbody");
      this.last = make("p");
      this.reset();
      this.element = make(
        "details",
        { className: "live-cost", open: panel.opens("cost") },
        make("summary", {}, say("cost")),
        make("table", {}, header("cache", "steps", "positions", "time"), this.rows),
        this.last,
      );
    }

    reset() {
      const none = () => ({ steps: 0, positions: 0, time: 0 });
      this.sums = { "with-cache": none(), "without-cache": none() };
    }

    /** Takes note of one pass through the model: milliseconds, and positions of the length. */
    add(useCache, positions, length, time) {
      const sum = this.sums[useCache ? "with-cache" : "without-cache"];
      sum.steps += 1;
      sum.positions += positions;
      sum.time += time;
      this.note = { positions, length, time: number(time, 1) };
    }

    update() {
      this.last.textContent = say("cost-note", this.note);
      const rows = Object.entries(this.sums).map(([key, { steps, positions, time }]) => {
        const texts = [number(steps), number(positions), steps ? number(time / steps, 1) : "–"];
        const cells = texts.map((text) => make("td", {}, text));
        return make("tr", {}, make("th", { scope: "row" }, say(key)), ...cells);
      });
      this.rows.replaceChildren(...rows);
    }
  };
})((globalThis.gpt ??= {}));
