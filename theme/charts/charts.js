// Charts: a picture until the reader reaches for a slider, then Vega, from the book's own files.
(function () {
  "use strict";

  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  let library;

  // Return a promise of vegaEmbed; Vega is fetched once, at the first call.
  function vega() {
    library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.onload = () => resolve(window.vegaEmbed);
      script.onerror = () => reject(new Error(`cannot read ${script.src}`));
      script.src = `${folder}vega.js`;
      document.head.append(script);
    });
    return library;
  }

  // Put Vega's drawing in the place of the picture and return a promise of its view.
  async function draw(chart, picture) {
    const spec = JSON.parse(chart.querySelector("script").textContent);
    const embed = await vega();
    const box = document.createElement("div");
    const options = { actions: false, renderer: "svg", defaultStyle: false, tooltip: false };
    const { view } = await embed(box, { ...spec, width: widthOf(picture) }, options);
    box.ariaHidden = "true"; // the picture's label and the line above say it
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
    const picture = chart.querySelector(".chart-picture");
    const result = chart.querySelector(".chart-result");
    let drawn;

    const wake = () => {
      drawn ??= draw(chart, picture).then((view) => (chart.view = view));
      return drawn;
    };

    async function set({ target }) {
      const value = target.type === "range" ? target.valueAsNumber : target.value;
      if (target.type === "range") target.nextElementSibling.value = written(target);
      const view = await wake();
      await view.signal(target.name, value).runAsync();
      result.textContent = picture.querySelector(".summary_marks text").textContent;
    }

    // A browser that comes back to a page may remember where the sliders stood; the picture does not.
    chart.querySelectorAll("input").forEach((input) => (input.value = input.defaultValue));
    chart.querySelectorAll("select").forEach((menu) => {
      menu.value = [...menu.options].find((option) => option.defaultSelected).value;
    });
    chart.addEventListener("input", set);
    for (const touch of ["pointerover", "pointerdown", "focusin"]) {
      chart.addEventListener(touch, wake, { once: true, passive: true });
    }
  }

  document.querySelectorAll(".chart[id]").forEach(start);
})();
