// Figures: a link to each, and its picture to take along, in the colours and letters of the page.
(() => {
  "use strict";

  const WORDS = {
    ja: {
      copy: "PNGとしてコピー",
      copied: "コピーした",
      saved: (name) => `コピーできないので、${name}に保存した`,
      failed: "ここでは画像にできなかった",
    },
    en: {
      copy: "Copy as PNG",
      copied: "Copied",
      saved: (name) => `It could not be copied and was saved as ${name}`,
      failed: "It could not be made a picture here",
    },
  };
  const words = WORDS[document.documentElement.lang] ?? WORDS.en;
  const SCALE = 2; // pixels of the picture for one of the page
  const MARGIN = 16; // pixels of the page around a figure
  const PNG = "image/png";

  // Return the SVG that the reader sees: for a desk or for a phone, of the step that is shown, or
  // the last of those that stand below each other, which is next to the button.
  function shownIn(figure) {
    const isShown = (svg) => svg.getClientRects().length && getComputedStyle(svg).visibility === "visible";
    return [...figure.querySelectorAll("svg")].filter(isShown).pop();
  }

  // Return an SVG as a document of its own: the colours and fonts that the page gives it stand in it.
  function alone(svg) {
    const copy = svg.cloneNode(true);
    const texts = copy.querySelectorAll("text");
    svg.querySelectorAll("text").forEach((text, n) => {
      texts[n].setAttribute("font-family", getComputedStyle(text).fontFamily);
      texts[n].removeAttribute("style"); // of Vega: it names the font again
    });
    copy.querySelectorAll(".summary_marks").forEach((line) => line.remove()); // the page says it
    const page = getComputedStyle(document.documentElement);
    return new XMLSerializer()
      .serializeToString(copy)
      .replace(/var\((--[\w-]+)(?:, ?(#\w+))?\)/g, (all, name, otherwise) =>
        (page.getPropertyValue(name).trim() || otherwise).replace(/"/g, "'"),
      );
  }

  function load(text) {
    return new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = reject;
      image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    });
  }

  // Return a promise of a figure as a PNG, on the paper of the page.
  async function toPng(figure) {
    const svg = shownIn(figure);
    const [width, height] = ["width", "height"].map((side) => svg[side].baseVal.value);
    const image = await load(alone(svg));
    const canvas = document.createElement("canvas");
    canvas.width = SCALE * (width + 2 * MARGIN);
    canvas.height = SCALE * (height + 2 * MARGIN);
    const context = canvas.getContext("2d");
    context.fillStyle = getComputedStyle(document.body).backgroundColor;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, SCALE * MARGIN, SCALE * MARGIN, SCALE * width, SCALE * height);
    return new Promise((resolve, reject) => {
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error(PNG))), PNG);
    });
  }

  // Safari wants what is copied at the press, before it is there; older browsers, when it is.
  async function copy(picture) {
    const write = (data) => navigator.clipboard.write([new ClipboardItem({ [PNG]: data })]);
    try {
      await write(picture);
    } catch {
      await write(await picture);
    }
  }

  function save(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  // Copy a figure, or save it where nothing may be copied, and return what happened, in words.
  async function take(figure) {
    const picture = toPng(figure);
    const name = `${figure.id}.png`;
    try {
      await copy(picture);
      return words.copied;
    } catch {
      try {
        save(await picture, name);
        return words.saved(name);
      } catch {
        return words.failed;
      }
    }
  }

  function start(figure) {
    const [tools, button, status] = ["div", "button", "span"].map((tag) => document.createElement(tag));
    Object.assign(button, { type: "button", textContent: words.copy });
    status.setAttribute("role", "status");
    button.addEventListener("click", async () => {
      status.textContent = "";
      status.textContent = await take(figure);
    });
    const link = figure.querySelector("figcaption .headerlink");
    if (link) {
      link.textContent = link.title; // the row has room for more than a sign
      link.removeAttribute("title");
      tools.append(link);
    }
    tools.className = "figure-tools";
    tools.append(button, status);
    figure.append(tools);
  }

  [...document.querySelectorAll("figure")]
    .filter((figure) => figure.querySelector(".drawn, .chart"))
    .forEach(start);
})();
