/* What every part of the panel is made of: elements, words, numbers, and keys for groups. */
(function (gpt) {
  "use strict";

  /** A new element: make("p", { className: "x" }, "text", another). Names with a dash, and role,
   *  are attributes. */
  gpt.make = function (tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name.includes("-") || name === "role") element.setAttribute(name, value);
      else element[name] = value;
    }
    element.append(...children);
    return element;
  };

  /** The edition's words for a key, with the values filled in. */
  gpt.say = function (key, values = {}) {
    return gpt.words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  };

  const number = (value, digits = 0) =>
    value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const percent = (share) => `${number(100 * share, share < 0.0995 ? 1 : 0)} %`;

  /** A token as one can see it: blanks as signs, bytes that are no whole character as numbers. */
  function shown(tokenizer, id) {
    if (id === 0) return gpt.END_OF_TEXT;
    const text = tokenizer.decode([id]);
    if (text.includes("\uFFFD"))
      return Array.from(
        tokenizer.tokens[id],
        (c) => `<${tokenizer.byteOf.get(c).toString(16)}>`,
      ).join("");
    return text.replaceAll(" ", "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥");
  }

  /** Makes a group of buttons one stop of the tab key: arrows, Home and End move inside it. */
  function roving(group, pick, columns = () => 1) {
    group.addEventListener("keydown", (event) => {
      const buttons = [...group.querySelectorAll("button")];
      const at = buttons.indexOf(document.activeElement);
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns() }[
        event.key
      ];
      const to = { Home: 0, End: buttons.length - 1 }[event.key] ?? at + step;
      if (at < 0 || !buttons[to]) return;
      event.preventDefault();
      pick(to);
      group.querySelectorAll("button")[to].focus();
    });
  }

  /** A colour of the theme as [r, g, b], as it is now: light or dark. */
  function colour(element, name) {
    const pixel = Object.assign(document.createElement("canvas"), {
      width: 1,
      height: 1,
    }).getContext("2d");
    pixel.fillStyle = getComputedStyle(element).getPropertyValue(name).trim();
    pixel.fillRect(0, 0, 1, 1);
    return [...pixel.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  }

  /** Draws a matrix, one pixel a number, from -1 over 0 to 1; null leaves the pixel empty. */
  function drawMatrix(canvas, rows, columns, value, framed = -1) {
    Object.assign(canvas, { width: columns, height: rows });
    const context = canvas.getContext("2d"),
      image = context.createImageData(columns, rows);
    const [positive, negative, empty] = ["--live-more", "--live-less", "--live-empty"].map((name) =>
      colour(canvas, name),
    );
    for (let row = 0, at = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, at += 4) {
        const x = value(row, column);
        image.data.set(x === null ? empty : x < 0 ? negative : positive, at);
        image.data[at + 3] = x === null ? 255 : 255 * Math.min(1, Math.abs(x));
      }
    }
    context.putImageData(image, 0, 0);
    canvas.parentElement.style.setProperty("--live-row", framed / rows);
    canvas.parentElement.style.setProperty("--live-rows", framed < 0 ? 0 : 1 / rows);
  }

  Object.assign(gpt, { number, percent, shown, roving, drawMatrix });
})((globalThis.gpt ??= {}));
