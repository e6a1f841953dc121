// Charts: a picture until the reader reaches for a slider, then Vega, from the book's own files.
(function () {
  "use strict";

  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  const WORDS = {
    ja: (reason) =>
      `この図を動かす部分を読み込めなかったか、ここでは動かない（${reason}）。図もつまみも初めのままである。もう一度試すには、つまみを動かすこと。`,
    en: (reason) =>
      `What moves this chart did not load, or does not work here (${reason}). The chart and its sliders are as they were at first. To try again, move a slider.`,
  };
  const failure = WORDS[document.documentElement.lang] ?? WORDS.en;

  // Put Vega's drawing in the place of the picture and return a promise of its view. Expressions
  // are interpreted, not compiled: the page's policy may forbid new code.
  async function draw(chart, picture) {
    const spec = JSON.parse(chart.querySelector("script").textContent);
    await loadScript(`${folder}vega.js`, () => window.vegaEmbed);
    const box = document.createElement("div");
    const look = { renderer: "svg", defaultStyle: false, tooltip: { disableDefaultStyle: true } };
    const options = { ...look, actions: false, ast: true };
    const { view } = await vegaEmbed(box, { ...spec, width: widthOf(picture) }, options);
    box.setAttribute("aria-hidden", "true"); // the picture's label and the line above say it
    picture.replaceChildren(box);
    new ResizeObserver(() => view.width(widthOf(picture)).runAsync()).observe(picture);
    return view;
  }

  function widthOf(picture) {
    return Math.max(240, Math.floor(picture.clientWidth));
  }

  // Return the slider's value with the decimals of its step.
  function written(input) {
    return input.valueAsNumber.toFixed((input.step.split(".")[1] ?? "").length);
  }

  function start(chart) {
    const [picture, result, status] = ["picture", "result", "status"].map((part) =>
      chart.querySelector(`.chart-${part}`),
    );
    const first = { picture: [...picture.childNodes], result: result.textContent };
    let drawn;

    const wake = () => {
      drawn ??= draw(chart, picture).then((view) => (chart.view = view));
      return drawn;
    };

    // The controls, the picture and the line above it, as the book was built.
    function reset() {
      chart.querySelectorAll("input").forEach((input) => {
        input.value = input.defaultValue;
        input.nextElementSibling.value = written(input);
      });
      chart.querySelectorAll("select").forEach((menu) => {
        menu.value = [...menu.options].find((option) => option.defaultSelected).value;
      });
      picture.replaceChildren(...first.picture);
      result.textContent = first.result;
    }

    // After a failure nothing says what it does not show, and the next touch tries again.
    function fail(error) {
      drawn = chart.view = undefined;
      reset();
      status.textContent = failure(error.message);
    }

    async function set({ target }) {
      const value = target.type === "range" ? target.valueAsNumber : target.value;
      if (target.type === "range") target.nextElementSibling.value = written(target);
      try {
        const view = await wake();
        await view.signal(target.name, value).runAsync();
        result.textContent = picture.querySelector(".summary_marks text").textContent;
        status.textContent = "";
      } catch (error) {
        fail(error);
      }
    }

    reset(); // a browser that comes back to a page may remember where the sliders stood
    chart.addEventListener("input", set);
    for (const touch of ["pointerover", "pointerdown", "focusin"]) {
      chart.addEventListener(touch, () => wake().catch(fail), { once: true, passive: true });
    }
    chart.querySelector(".chart-controls").classList.remove("needs-script");
  }

  document.querySelectorAll(".chart[id]").forEach(start);
})();
