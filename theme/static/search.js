// The order of search results: headings and terms of the glossary, then code, then whole pages.
// Sphinx lists a page before the heading that is asked for, and asks for every word of the query.

(() => {
  const IS_JAPANESE = document.documentElement.lang === "ja";
  const FAILED = IS_JAPANESE
    ? "検索できなかった。ページを読み込み直すと、もう一度試す。"
    : "The search failed. To try again, reload the page.";
  const IDENTIFIER = /[_.]|[a-z][A-Z]|[A-Z]{2}[a-z]/;
  const LISTS = /^(api|where)/; // pages that name what others are about
  const EXERCISES = /^workbook/;
  const AGAIN = 0.7; // of the score of a further heading of a page
  const EXCERPT = 240; // letters
  const FEW = 3; // pages with all words of a query are enough
  const ENOUGH = 1 / 3; // of the words, for pages that are listed with fewer
  const plain = (text) => text.normalize("NFKC").toLowerCase().replace(/ー|[^\p{L}\p{N}]/gu, "");

  const bare = (title) => title.replace(/<[^>]*>/g, "");

  // How well a heading or a name fits: from 40, when it holds the query, to 100, when it is it.
  function fit(name, query) {
    const text = plain(name);
    if (text === query) return 100;
    return text.includes(query) ? 40 + (50 * query.length) / text.length : 0;
  }

  // Lists, most of them of code, come after pages of text when the query is not written like code;
  // a page of exercises comes after the one that explains.
  function placed(index, file, score, isCode) {
    const name = index.docnames[file];
    if (LISTS.test(name) && !isCode) return score / 4;
    return EXERCISES.test(name) ? 0.3 * score : score;
  }

  function headings(index, query, subject, isCode) {
    return Object.entries(index.alltitles).flatMap(([title, places]) => {
      const fits = fit(title, query);
      if (!fits) return [];
      // A heading of a list is the name of a module, and found as code.
      const isName = ([file]) => LISTS.test(index.docnames[file]) && bare(index.titles[file]) !== title;
      return places.filter((place) => !isName(place)).map(([file, id]) => {
        const top = index.titles[file];
        const score = fits < 100 ? fits + 10 * subject[file] : fits;
        const isPage = bare(top) === title;
        const label = isPage ? top : `${top} > ${title}`;
        const rank = isPage && fits === 100 ? fits : placed(index, file, score, isCode);
        return [index.docnames[file], label, id ? `#${id}` : "", null, rank, index.filenames[file]];
      });
    });
  }

  // Each name of an entry of the glossary is a term. One that is the query comes first, and names
  // that only hold it after the headings that do.
  function terms(index, query) {
    return Object.entries(index.indexentries).flatMap(([entry, places]) => {
      const score = fit(entry, query) === 100 ? 100 : fit(entry, query) / 2.5;
      const glossary = places.filter(([, id]) => score && id.startsWith("term-"));
      return glossary.map(([file, id]) =>
        [index.docnames[file], entry, `#${id}`, index.titles[file], score, index.filenames[file]]);
    });
  }

  // A work that is cited is found by its title, or most of it, after what the book says itself.
  function works(index, query) {
    return Object.entries(index.works).flatMap(([title, [file, id]]) => {
      const score = fit(title, query);
      if (score < 65) return []; // half of a title
      return [[index.docnames[file], title, `#${id}`, index.titles[file], 0.6 * score, index.filenames[file]]];
    });
  }

  // Code comes before text when the query is its name, and after headings when it is not.
  // A module has the name of what it is about: who types that word looks for text.
  function code(index, query, isCode) {
    return Object.entries(index.objects).flatMap(([prefix, entries]) =>
      entries.flatMap(([file, type, , anchor, last]) => {
        const [domain, kind, label] = index.objnames[type];
        const name = prefix ? `${prefix}.${last}` : last;
        let score = domain === "std" ? 0 : Math.max(fit(last, query), fit(name, query));
        if (!score) return [];
        if (score < 100) score /= isCode ? 3 : 20;
        else if (!isCode) score = kind === "module" ? 5 : 35;
        const id = anchor === "" ? name : anchor === "-" ? `${kind}-${name}` : anchor;
        const where = `${label}${_(", in ")}${index.titles[file]}`;
        return [[index.docnames[file], name, `#${id}`, where, score, index.filenames[file]]];
      }),
    );
  }

  // The pages that hold a term, or a longer one if none holds it alone.
  function holders(table, term) {
    const longer = () => Object.keys(table).filter((key) => key.includes(term));
    const keys = Object.prototype.hasOwnProperty.call(table, term) ? [term] : term.length > 2 ? longer() : [];
    return keys.flatMap((key) => table[key]);
  }

  // The words of a query, Japanese up to the next sign, each as the terms that the index has of it.
  const JAPANESE = "\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}";
  const HAS_JAPANESE = new RegExp(`[${JAPANESE}]`, "u");
  const WORD = new RegExp(`[${JAPANESE}]+|[^\\s${JAPANESE}]+`, "gu");
  const folded = (query) => query.normalize("NFKC").toLowerCase().replace(/[ー・]/g, "").trim();
  const split = (query) => folded(query).match(WORD) ?? [];
  const isTelling = (term) => !stopwords.includes(term);
  function termsOf(word) {
    const stemmer = new Stemmer();
    return splitQuery(word).filter(isTelling).map((term) => stemmer.stemWord(term));
  }

  // How much a page is about words, and pairs of them: theme/search.py writes the weights.
  function subjects(index, words) {
    const terms = words.flat();
    const pairs = terms.slice(1).map((term, i) => `${terms[i]} ${term}`);
    const about = (page) => [...terms, ...pairs].reduce((sum, term) => sum + (Search.weights?.[term]?.[page] ?? 0), 0);
    const all = index.docnames.map(about);
    const most = Math.max(...all) || 1;
    return all.map((weight) => weight / most);
  }

  // For each page how much of the words it holds in some tables of the index. Of a word the greater
  // part counts, as of 計算予算 in a page with 計算 and 予算; less of it is another word.
  function shares(index, words, tables) {
    const held = words.map((word) => {
      const sets = word.map((term) => new Set(tables.flatMap((table) => holders(table, term))));
      const share = (file) => sets.filter((set) => set.has(file)).length / sets.length;
      return index.docnames.map((page, file) => share(file)).map((part) => (part > 1 / 2 ? part : 0));
    });
    return index.docnames.map((page, file) => held.reduce((sum, word) => sum + word[file], 0) / words.length);
  }

  // Pages that hold the words; if few but lists hold all of them, also those that hold a part.
  function pages(index, words, subject, isCode) {
    if (!words.length) return [];
    const inTitle = shares(index, words, [index.titleterms]);
    const anywhere = shares(index, words, [index.titleterms, index.terms]);
    const isAnswer = (share, file) => share === 1 && (isCode || !LISTS.test(index.docnames[file]));
    const least = anywhere.filter(isAnswer).length < FEW ? ENOUGH : 1;
    return index.docnames.flatMap((page, file) => {
      if (anywhere[file] < least) return [];
      const score = 10 * anywhere[file] + 5 * inTitle[file] + 15 * subject[file];
      const rank = placed(index, file, score, isCode);
      return [[page, index.titles[file], "", null, rank, index.filenames[file]]];
    });
  }

  // Of the headings of one page, the one that fits best comes before those of others.
  function spread(results) {
    const before = {};
    for (const result of results.sort((a, b) => b[4] - a[4])) {
      const nth = (before[result[0]] = (before[result[0]] ?? -1) + 1);
      result[4] *= AGAIN ** nth;
    }
    return results;
  }

  Search._performSearch = (written) => {
    const index = Search._index;
    const query = plain(written);
    if (!query) return [];
    const words = split(written).map(termsOf).filter((word) => word.length);
    const isCode = IDENTIFIER.test(written.trim());
    const subject = subjects(index, words);
    const named = [
      ...spread(headings(index, query, subject, isCode)),
      ...terms(index, query),
      ...works(index, query),
      ...code(index, query, isCode),
    ];
    const listed = new Set(named.map(([page]) => page));
    const whole = pages(index, words, subject, isCode).filter(([page]) => !listed.has(page));
    return [...named, ...whole].sort((a, b) => a[4] - b[4] || (a[1] < b[1] ? 1 : -1)); // the last is shown first
  };

  // What a text holds of a query: the whole of it, or its words. A number may have signs between its
  // thousands, a Japanese word those that writers leave out, an English one any ending.
  const escaped = (text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  const spelled = (word) => Array.from(word, escaped).join("[ー・]?").replace(/\s/g, "\\s");
  const NUMBER = /^(\d+)(\.\d+)?$/;
  const grouped = (number, sign) =>
    number.replace(NUMBER, (all, whole, rest = "") => whole.replace(/\B(?=(\d{3})+$)/g, sign) + rest);

  function toPattern(query) {
    const terms = split(query).flatMap((word) => (HAS_JAPANESE.test(word) ? [word] : splitQuery(word)));
    const told = terms.filter((term) => isTelling(term) && (term.length > 1 || terms.length === 1));
    const sources = told.map((term) => {
      if (NUMBER.test(term)) return `${grouped(term, ",?").replace(".", "\\.")}(?!\\d|[.,]\\d)`;
      if (HAS_JAPANESE.test(term)) return spelled(term);
      const stem = new Stemmer().stemWord(term);
      const start = term.startsWith(stem) && stem.length > 3 ? stem : term;
      return escaped(start) + (start.length > 3 ? "\\p{L}*" : "(?![\\p{L}\\p{N}])");
    });
    const whole = terms.length > 1 ? [spelled(folded(query).replace(/\s+/g, " "))] : [];
    const parts = [...whole, ...sources].map((source) => `(${source})`);
    return parts.length ? new RegExp(parts.join("|"), "giu") : null;
  }

  // A word or a number begins where no other goes on.
  const goesOn = (before, found) => /^[\p{sc=Latin}\d]/u.test(found) && /(?:[\p{sc=Latin}\d]|\d[.,])$/u.test(before);
  const narrow = (sign) => (sign.normalize("NFKC").length === sign.length ? sign.normalize("NFKC") : sign);
  function findIn(shown) {
    if (!asked) return [];
    const text = Array.from(shown, narrow).join(""); // as long as what is shown
    return [...text.matchAll(asked)].filter((found) =>
      !goesOn(text.slice(Math.max(found.index - 2, 0), found.index), found[0]));
  }

  // Where in a text the whole query stands, or else most of its words close together.
  function bestPlace(marks) {
    const part = (mark) => mark.slice(1).findIndex(Boolean);
    const weights = marks.map((mark) => {
      const near = marks.filter(({ index }) => index >= mark.index && index < mark.index + EXCERPT / 2);
      return mark[0].length * (part(mark) === 0) + new Set(near.map(part)).size;
    });
    return marks[weights.indexOf(Math.max(...weights))]?.index ?? 0;
  }

  // The text of a page as one reads it: theme/search.py writes the index from the same.
  Search.htmlToText = (html, anchor) => {
    const spaced = html.replace(/<(?!\/?(?:a|b|em|i|kbd|small|span|strong|u|wbr)\b)/g, " <");
    const page = new DOMParser().parseFromString(spaced, "text/html");
    page.querySelectorAll("script, style, noscript, .headerlink, .drawn-phone").forEach((part) => part.remove());
    const part = (anchor && page.getElementById(anchor.slice(1))) || page.querySelector("article");
    return part ? part.textContent.replace(/\s+/g, " ").trim() : "";
  };

  // Sphinx shows the place of a term, which may be a pair of characters or lack signs: another place.
  Search.makeSearchSummary = (html, terms, anchor) => {
    const text = Search.htmlToText(html, anchor);
    const marks = findIn(text);
    const start = Math.max(bestPlace(marks) - EXCERPT / 3, 0);
    const end = start + EXCERPT;
    const summary = document.createElement("p");
    summary.className = "context";
    let at = start;
    summary.append(start > 0 ? "..." : "");
    for (const found of marks.filter(({ index }) => index >= start && index < end)) {
      const mark = document.createElement("span");
      mark.className = "highlighted";
      mark.append(text.substr(found.index, found[0].length));
      summary.append(text.slice(at, found.index), mark);
      at = found.index + found[0].length;
    }
    summary.append(text.slice(at, end), end < text.length ? "..." : "");
    return summary;
  };

  // Sphinx drops numbers from a query. The page that is opened marks them as the text writes them,
  // with signs between the thousands, and in Japanese whole words, not pairs.
  let asked = null;
  const parse = Search._parseQuery;
  Search._parseQuery = (query) => {
    const [written, words, excluded, shown, objects] = parse(query);
    const numbers = splitQuery(query).filter((term) => NUMBER.test(term));
    const named = IS_JAPANESE ? query.toLowerCase().split(/\s+/).filter(Boolean) : [...shown];
    const marked = [...named, ...numbers, ...numbers.map((number) => grouped(number, ","))];
    numbers.forEach((number) => words.add(number));
    localStorage.setItem("sphinx_highlight_terms", [...new Set(marked)].join(" "));
    asked = toPattern(query);
    return [written, words, excluded, new Set(named.filter((word) => /\p{L}/u.test(word))), objects];
  };

  // What cannot be answered is not "searching" for ever.
  function fail() {
    if (!Search.title) return; // nothing was asked
    Search.stopPulse();
    Search.title.textContent = FAILED;
  }
  const answer = Search.query;
  Search.query = (query) => {
    try {
      answer(query);
    } catch (error) {
      fail();
      throw error;
    }
  };
  addEventListener("load", () => Search.hasIndex() || fail());

  // Pages opened from disk, or in a sandboxed frame, may not read each other: no excerpts.
  if (self.origin === "null") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

  // Sphinx's own Japanese words come with code that a policy may forbid, and lack two of these.
  if (IS_JAPANESE) {
    Object.assign(Documentation.TRANSLATIONS, {
      Searching: "検索中",
      "Preparing search...": "検索を準備しています...",
      "Search Results": "検索結果",
      "Search finished, found ${resultCount} page(s) matching the search query.":
        "${resultCount} 件のページが見つかった。",
      "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.":
        "どのページにも見つからなかった。語の綴りを確かめるか、語を減らすこと。",
      ", in ": "、",
    });
  }

  document.querySelector("main form.bd-search input").select();
})();
