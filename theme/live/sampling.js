/* From scores to a next token, as gpt_helpers/architecture/sampling.py: filters from logits to logits. */
(function (gpt) {
  "use strict";

  /** Below 1 sharpens, above 1 flattens; 0 keeps the highest logit only. */
  function applyTemperature(logits, temperature) {
    if (temperature === 0) return topKFilter(logits, 1);
    return logits.map((logit) => logit / Math.fround(temperature));
  }

  /** All but the k highest become -Infinity; of equal ones the lowest token ids stay. */
  function topKFilter(logits, k) {
    const filtered = logits.slice();
    for (const id of ranking(logits).slice(k)) filtered[id] = -Infinity;
    return filtered;
  }

  /** All but the smallest set of mass >= p become -Infinity; the likeliest always stays. */
  function topPFilter(logits, p) {
    const filtered = logits.slice();
    if (p === 1) return filtered;
    const probabilities = softmax(logits);
    let cumulative = 0;
    for (const id of ranking(logits)) {
      cumulative += probabilities[id];
      if (cumulative - probabilities[id] >= p) filtered[id] = -Infinity;
    }
    return filtered;
  }

  /** Temperature, then top-k, then top-p; null keeps all tokens. */
  function cut(logits, { temperature = 1, topK = null, topP = null } = {}) {
    let left = applyTemperature(logits, temperature);
    if (topK !== null) left = topKFilter(left, topK);
    if (topP !== null) left = topPFilter(left, topP);
    return left;
  }

  /** A token id, drawn with a number u from 0 to 1 from what the cuts leave. */
  function sample(logits, settings, u) {
    const probabilities = softmax(cut(logits, settings));
    let cumulative = 0,
      last = 0;
    for (let id = 0; id < probabilities.length; id++) {
      if (probabilities[id] === 0) continue;
      last = id;
      if ((cumulative += probabilities[id]) > u) break;
    }
    return last;
  }

  /** Token ids from the highest logit down, equal ones by id. */
  function ranking(logits) {
    return Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  }

  /** Probabilities, in float64. */
  function softmax(logits) {
    const highest = logits.reduce((a, b) => Math.max(a, b));
    const shares = Float64Array.from(logits, (logit) => Math.exp(logit - highest));
    const sum = shares.reduce((a, b) => a + b);
    return shares.map((share) => share / sum);
  }

  /** A generator of numbers from 0 to 1 (mulberry32): the same seed gives the same text. */
  function randomNumbers(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  Object.assign(gpt, {
    applyTemperature,
    topKFilter,
    topPFilter,
    cut,
    sample,
    ranking,
    softmax,
    randomNumbers,
  });
})((globalThis.gpt ??= {}));
