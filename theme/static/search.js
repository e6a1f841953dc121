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
  const ENOUGH = 1 / 3; // of the query's words, for pages that are listed when none has all
  const plain = (text) => text.normalize("NFKC").toLowerCase().replace(/ー|[^\p{L}\p{N}]/gu, "");

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

  function headings(index, query, isCode) {
    return Object.entries(index.alltitles).flatMap(([title, places]) => {
      const score = fit(title, query);
      if (!score) return [];
      // A heading of a list is the name of a module, and found as code.
      return places.filter(([file, id]) => !id || !LISTS.test(index.docnames[file])).map(([file, id]) => {
        const top = index.titles[file];
        const label = top === title ? title : `${top} > ${title}`;
        const fits = placed(index, file, score, isCode);
        return [index.docnames[file], label, id ? `#${id}` : "", null, fits, index.filenames[file]];
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

  // The pages that hold a word, or a longer one if none holds it alone.
  function holders(table, word) {
    const longer = () => Object.keys(table).filter((key) => key.includes(word));
    const keys = Object.prototype.hasOwnProperty.call(table, word) ? [word] : word.length > 2 ? longer() : [];
    return new Set(keys.flatMap((key) => table[key]));
  }

  // How much a page is about words, and pairs of them: theme/search.py writes the weights.
  function weigher(words) {
    const terms = [...words];
    const pairs = terms.slice(1).map((term, i) => `${terms[i]} ${term}`);
    return (page) => [...terms, ...pairs].reduce((sum, term) => sum + (Search.weights?.[term]?.[page] ?? 0), 0);
  }

  // Pages that hold the words; if none holds all of them, those that hold most.
  function pages(index, words, excluded, isCode) {
    const inTitles = [...words].map((word) => holders(index.titleterms, word));
    const anywhere = [...words].map((word, i) => new Set([...inTitles[i], ...holders(index.terms, word)]));
    const without = [...excluded].flatMap((word) => [...holders(index.terms, word)]);
    const share = (sets, file) => sets.filter((set) => set.has(file)).length / words.size;
    const files = index.docnames.map((name, file) => file).filter((file) => !without.includes(file));
    const best = Math.max(...files.map((file) => share(anywhere, file)));
    const about = weigher(words);
    const most = Math.max(...files.map((file) => about(index.docnames[file]))) || 1;
    return files
      .filter((file) => share(anywhere, file) >= (best === 1 ? 1 : ENOUGH))
      .map((file) => {
        const subject = (15 * about(index.docnames[file])) / most;
        const score = 10 * share(anywhere, file) + 5 * share(inTitles, file) + subject;
        const fits = placed(index, file, score, isCode);
        return [index.docnames[file], index.titles[file], "", null, fits, index.filenames[file]];
      });
  }

  Search._performSearch = (written, words, excluded) => {
    const index = Search._index;
    const query = plain(written);
    const isCode = IDENTIFIER.test(written.trim());
    const named = query
      ? [headings(index, query, isCode), terms(index, query), code(index, query, isCode)].flat()
      : [];
    const listed = new Set(named.map(([page]) => page));
    const whole = words.size ? pages(index, words, excluded, isCode) : [];
    const results = [...named, ...whole.filter(([page]) => !listed.has(page))];
    return results.sort((a, b) => a[4] - b[4] || (a[1] < b[1] ? 1 : -1)); // the last is shown first
  };

  // Sphinx drops numbers from a query. Excerpts, and the page that is opened, mark them as the text
  // writes them, with signs between the thousands, and in Japanese whole words, not pairs.
  const grouped = (digits) => digits.replace(/\B(?=(\d{3})+$)/g, ",");
  const parse = Search._parseQuery;
  Search._parseQuery = (query) => {
    const [written, words, excluded, shown, objects] = parse(query);
    const numbers = splitQuery(query).filter((term) => /^\d+$/.test(term));
    const marked = new Set(IS_JAPANESE ? query.toLowerCase().split(/\s+/).filter(Boolean) : shown);
    for (const number of numbers) {
      words.add(number);
      marked.add(number).add(grouped(number));
    }
    localStorage.setItem("sphinx_highlight_terms", [...marked].join(" "));
    return [written, words, excluded, marked, objects];
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
