// Tables of the class "sortable": a button in each header cell sorts the rows by its column, and a
// field keeps those that hold a text. Without this script they are tables in the order of the page.

(() => {
  const WORDS = {
    ja: {
      sort: (name) => `${name}で並べ替える`,
      filter: "この文字を含む行だけ",
      found: (shown, all) => `${all}行のうち${shown}行`,
    },
    en: {
      sort: (name) => `Sort by ${name}`,
      filter: "Only rows with",
      found: (shown, all) => `${shown} of ${all} rows`,
    },
  };
  const words = WORDS[document.documentElement.lang] ?? WORDS.en;

  const textOf = (row, column) => row.cells[column].textContent.trim();
  const numberOf = (text) => (text === "" ? NaN : Number(text.replaceAll(",", "")));

  // Numbers stand before words, and both before cells without a text, whichever way they are sorted.
  function rankOf(text, isNumeric) {
    if (text === "") return 2;
    return isNumeric && Number.isNaN(numberOf(text)) ? 1 : 0;
  }

  function compare(a, b, isNumeric, sign) {
    const rank = rankOf(a, isNumeric);
    const between = rank - rankOf(b, isNumeric);
    if (between || rank === 2) return between;
    return sign * (isNumeric && rank === 0 ? numberOf(a) - numberOf(b) : a.localeCompare(b));
  }

  // A column is one of numbers if most of its cells are.
  function isOfNumbers(rows, column) {
    const texts = rows.map((row) => textOf(row, column)).filter((text) => text !== "");
    return texts.filter((text) => !Number.isNaN(numberOf(text))).length > texts.length / 2;
  }

  function sortBy(table, column) {
    const heads = [...table.tHead.rows[0].cells];
    const isUp = heads[column].getAttribute("aria-sort") !== "ascending";
    const rows = [...table.tBodies[0].rows];
    const isNumeric = isOfNumbers(rows, column);
    const order = (a, b) =>
      compare(textOf(a, column), textOf(b, column), isNumeric, isUp ? 1 : -1);
    table.tBodies[0].append(...rows.sort(order));
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[column].setAttribute("aria-sort", isUp ? "ascending" : "descending");
  }

  function addButtons(table) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = Object.assign(document.createElement("button"), { type: "button" });
      button.className = "table-sort";
      button.setAttribute("aria-label", words.sort(head.textContent.trim()));
      button.addEventListener("click", () => sortBy(table, column));
      (head.querySelector("p") ?? head).append(" ", button);
    });
  }

  function addFilter(table) {
    const rows = [...table.tBodies[0].rows];
    const field = Object.assign(document.createElement("input"), { type: "search" });
    const count = document.createElement("output");
    const keep = () => {
      const wanted = field.value.trim().toLowerCase();
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
      count.textContent = words.found(rows.filter((row) => !row.hidden).length, rows.length);
    };
    field.addEventListener("input", keep);
    const label = document.createElement("label");
    label.append(words.filter, " ", field);
    const tools = Object.assign(document.createElement("div"), { className: "table-tools" });
    tools.append(label, count);
    (table.closest(".pst-scrollable-table-container") ?? table).before(tools);
    keep();
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    addButtons(table);
    addFilter(table);
  }
})();
