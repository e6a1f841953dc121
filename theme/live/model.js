/* GPT-2, as model.py and attention.py of gpt_helpers/architecture compute it: same names and order.
 * An x is a Float32Array of T rows; only the tokens that the cache lacks are computed. */
(function (gpt) {
  "use strict";

  /** What a query at one position may read: itself and what came before. */
  const causalMask = (query, key) => key <= query;

  /** Turns scores[from], ..., scores[to - 1] into weights that sum to 1, in place. */
  function softmax(scores, from, to) {
    let highest = -Infinity,
      sum = 0;
    for (let i = from; i < to; i++) highest = Math.max(highest, scores[i]);
    for (let i = from; i < to; i++) sum += scores[i] = Math.exp(scores[i] - highest);
    for (let i = from; i < to; i++) scores[i] /= sum;
  }

  /** GELU in its tanh form, in place: (1 + tanh z) / 2 = 1 / (1 + exp(-2z)). */
  function gelu(x, n) {
    const twice = 2 * Math.sqrt(2 / Math.PI);
    for (let i = 0; i < n; i++) x[i] /= 1 + Math.exp(-twice * (x[i] + 0.044715 * x[i] ** 3));
    return x;
  }

  /** Adds y to the stream x, in place. */
  function add(x, y, n) {
    for (let i = 0; i < n; i++) x[i] += y[i];
  }

  class Linear {
    constructor(model, name) {
      this.model = model;
      this.weight = model.parameter(`${name}.weight`);
      this.bias = model.parameter(`${name}.bias`);
      this.nOut = this.bias.length;
      this.nIn = this.weight.length / this.nOut;
    }
    forward(x, T, y) {
      return this.model.linear(x, T, this.weight, this.bias, this.nOut, this.nIn, y);
    }
  }

  class LayerNorm {
    constructor(model, name) {
      this.weight = model.parameter(`${name}.weight`);
      this.bias = model.parameter(`${name}.bias`);
      this.epsilon = model.config.layer_norm_epsilon;
    }
    forward(x, T, y) {
      const C = this.weight.length;
      for (let start = 0; start < T * C; start += C) {
        let mean = 0,
          variance = 0;
        for (let i = 0; i < C; i++) mean += x[start + i] / C;
        for (let i = 0; i < C; i++) variance += (x[start + i] - mean) ** 2 / C;
        const scale = 1 / Math.sqrt(variance + this.epsilon);
        for (let i = 0; i < C; i++)
          y[start + i] = (x[start + i] - mean) * scale * this.weight[i] + this.bias[i];
      }
      return y;
    }
  }

  class GPTAttention {
    constructor(model, name) {
      Object.assign(this, model.config, { buffers: model.buffers });
      this.c_attn = new Linear(model, `${name}.c_attn`);
      this.c_proj = new Linear(model, `${name}.c_proj`);
    }
    forward(x, T, cache, start, y) {
      cache.append(this.c_attn.forward(x, T, this.buffers.heads), T, start);
      const mixed = this.buffers.mixed.fill(0, 0, T * this.n_embd);
      for (let head = 0; head < this.n_head; head++)
        for (let t = 0; t < T; t++) this.attend(cache, head, start + t, mixed, t);
      return this.c_proj.forward(mixed, T, y);
    }
    /** One query of one head: scores of the keys, softmax, and the weighted sum of the values. */
    attend(cache, head, query, mixed, t) {
      const C = this.n_embd,
        D = C / this.n_head,
        column = head * D;
      const weights = cache.weights[head],
        row = query * this.n_positions;
      const q = cache.queries.subarray(query * C + column, query * C + column + D);
      let visible = 0; // the keys that the query may read come first
      while (visible < this.n_positions && causalMask(query, visible)) visible++;
      for (let key = 0; key < visible; key++) {
        let score = 0;
        for (let d = 0, at = key * C + column; d < D; d++) score += q[d] * cache.keys[at + d];
        weights[row + key] = score / Math.sqrt(D);
      }
      softmax(weights, row, row + visible);
      for (let key = 0; key < visible; key++) {
        const weight = weights[row + key],
          from = key * C + column,
          to = t * C + column;
        for (let d = 0; d < D; d++) mixed[to + d] += weight * cache.values[from + d];
      }
    }
  }

  class GPTMLP {
    constructor(model, name) {
      this.buffers = model.buffers;
      this.c_fc = new Linear(model, `${name}.c_fc`);
      this.c_proj = new Linear(model, `${name}.c_proj`);
    }
    forward(x, T, y) {
      const inner = this.c_fc.forward(x, T, this.buffers.inner);
      return this.c_proj.forward(gelu(inner, T * this.c_fc.nOut), T, y);
    }
  }

  class GPTBlock {
    constructor(model, name) {
      this.buffers = model.buffers;
      this.ln_1 = new LayerNorm(model, `${name}.ln_1`);
      this.attn = new GPTAttention(model, `${name}.attn`);
      this.ln_2 = new LayerNorm(model, `${name}.ln_2`);
      this.mlp = new GPTMLP(model, `${name}.mlp`);
    }
    forward(x, T, cache, start) {
      const { normed, change } = this.buffers,
        n = T * this.attn.n_embd;
      add(x, this.attn.forward(this.ln_1.forward(x, T, normed), T, cache, start, change), n);
      add(x, this.mlp.forward(this.ln_2.forward(x, T, normed), T, change), n);
    }
  }

  /** What one layer has computed for the tokens so far: keys and values are what the next token
   *  needs; queries and weights, one square per head, are kept for the reader to look at. */
  class LayerCache {
    constructor({ n_positions: S, n_embd: C, n_head: H }) {
      this.width = C;
      for (const name of ["queries", "keys", "values"]) this[name] = new Float32Array(S * C);
      this.weights = Array.from({ length: H }, () => new Float32Array(S * S));
    }
    append(heads, T, start) {
      const C = this.width;
      for (let t = 0; t < T; t++) {
        for (const [part, name] of ["queries", "keys", "values"].entries())
          this[name].set(
            heads.subarray((3 * t + part) * C, (3 * t + part + 1) * C),
            (start + t) * C,
          );
      }
    }
  }

  class KVCache {
    constructor(config) {
      this.layers = Array.from({ length: config.n_layer }, () => new LayerCache(config));
      this.ids = []; // the tokens that it holds
    }
    /** How many of the first tokens need no computing; the last one's logits are always wanted. */
    reusable(ids) {
      let n = 0;
      while (n < ids.length - 1 && n < this.ids.length && ids[n] === this.ids[n]) n++;
      return n;
    }
  }

  class GPTLMHeadModel {
    /** Takes what readSealed returns. */
    constructor({ tensors, facts }, { useWasm = true } = {}) {
      check(facts);
      const { n_positions: S, n_embd: C, vocab_size: V } = (this.config = facts.config);
      const sizes = {
        x: S * C,
        normed: S * C,
        change: S * C,
        mixed: S * C,
        heads: 3 * S * C,
        inner: 4 * S * C,
        logits: S * V,
      };
      const lengths = [
        ...Object.values(tensors).map(({ data }) => data.length),
        ...Object.values(sizes),
      ];
      const { floats, linear, wasm } = gpt.workspace(
        lengths.reduce((sum, n) => sum + n + 4, 0),
        useWasm,
      );
      Object.assign(this, { linear, wasm, tensors: {}, buffers: {} });
      for (const [name, { data }] of Object.entries(tensors))
        (this.tensors[name] = floats(data.length)).set(data);
      for (const [name, length] of Object.entries(sizes)) this.buffers[name] = floats(length);
      this.wte = this.parameter("transformer.wte.weight");
      this.wpe = this.parameter("transformer.wpe.weight");
      this.h = Array.from(
        { length: this.config.n_layer },
        (_, i) => new GPTBlock(this, `transformer.h.${i}`),
      );
      this.ln_f = new LayerNorm(this, "transformer.ln_f");
    }

    parameter(name) {
      if (!this.tensors[name])
        throw Object.assign(new Error(`it lacks ${name}`), { reason: "damaged" });
      return this.tensors[name];
    }

    /** Logits (T, V) of the T tokens that the cache lacks. A cache that holds the beginning of
     *  ids is fed the rest; allRows = false asks for the last row only. */
    forward(ids, cache = new KVCache(this.config), allRows = true) {
      const { n_positions, n_embd: C, vocab_size: V } = this.config;
      if (!ids.length || ids.length > n_positions)
        throw new Error(`${ids.length} tokens; need 1 to ${n_positions}`);
      const start = cache.reusable(ids),
        T = ids.length - start,
        { x, normed, logits } = this.buffers;
      cache.ids = ids.slice(0, start); // a forward pass that fails leaves no more than this
      for (let t = 0; t < T; t++)
        for (let i = 0; i < C; i++)
          x[t * C + i] = this.wte[ids[start + t] * C + i] + this.wpe[(start + t) * C + i];
      this.h.forEach((block, layer) => block.forward(x, T, cache.layers[layer], start));
      cache.ids = ids.slice();
      const rows = allRows ? T : 1;
      this.ln_f.forward(x.subarray((T - rows) * C), rows, normed);
      return this.linear(normed, rows, this.wte, null, V, C, logits).slice(0, rows * V);
    }
  }

  function check({ model, config }) {
    const known = model === "GPTLMHeadModel" && config.activation === "gelu" && !config.n_inner;
    const sizes = [config.n_embd, config.vocab_size];
    if (known && sizes.every((size) => size % 4 === 0)) return;
    throw Object.assign(new Error(`${model} ${JSON.stringify(config)}`), { reason: "unknown" });
  }

  Object.assign(gpt, { GPTLMHeadModel, KVCache });
})((globalThis.gpt ??= {}));
