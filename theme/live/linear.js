/* nn.Linear, where nearly all of the time goes: with WebAssembly if there is any, and without. */
(function (gpt) {
  "use strict";

  /** y[t] = W x[t] + b for T rows: x is (T, nIn), W (nOut, nIn) as torch stores it, y (T, nOut).
   *  nOut is a multiple of 4: four rows of W share each look at x. The sums are in float64. */
  function linear(x, T, W, b, nOut, nIn, y) {
    for (let t = 0; t < T; t++) {
      const row = x.subarray(t * nIn, (t + 1) * nIn);
      for (let o = 0; o < nOut; o += 4) {
        const w0 = o * nIn,
          w1 = w0 + nIn,
          w2 = w1 + nIn,
          w3 = w2 + nIn;
        let s0 = 0,
          s1 = 0,
          s2 = 0,
          s3 = 0;
        for (let i = 0; i < nIn; i++) {
          const value = row[i];
          s0 += value * W[w0 + i];
          s1 += value * W[w1 + i];
          s2 += value * W[w2 + i];
          s3 += value * W[w3 + i];
        }
        y.set([s0, s1, s2, s3], t * nOut + o);
      }
      if (b) for (let o = 0; o < nOut; o++) y[t * nOut + o] += b[o];
    }
    return y;
  }

  // The same loops on four numbers at a time: linear.wat, assembled.
  const LINEAR_WASM =
    "AGFzbQEAAAABEAJgAXsBfWAHf39/f39/fwACDwEDZW52Bm1lbW9yeQIAAQMDAgABBwoBBmxpbmVhcgABCp0DAhkA" +
    "IAD9HwAgAP0fAZIgAP0fAiAA/R8DkpILgAMCCn8FeyAFQQJ0IQsDQEEAIQgDQCACIAcgC2xqIQ0gDSALaiEOIA4g" +
    "C2ohDyAPIAtqIRAgACAIIAtsaiEJIAYgCCAEbCAHakECdGohDCAJIAtqIQr9DAAAAAAAAAAAAAAAAAAAAAAhEv0M" +
    "AAAAAAAAAAAAAAAAAAAAACET/QwAAAAAAAAAAAAAAAAAAAAAIRT9DAAAAAAAAAAAAAAAAAAAAAAhFQNAIAn9AAQA" +
    "IREgEiARIA39AAQA/eYB/eQBIRIgEyARIA79AAQA/eYB/eQBIRMgFCARIA/9AAQA/eYB/eQBIRQgFSARIBD9AAQA" +
    "/eYB/eQBIRUgDUEQaiENIA5BEGohDiAPQRBqIQ8gEEEQaiEQIAlBEGohCSAJIApJDQALIAwgEhAAOAIAIAwgExAA" +
    "OAIEIAwgFBAAOAIIIAwgFRAAOAIMIAMEQCAMIAz9AAQAIAMgB0ECdGr9AAQA/eQB/QsEAAsgCEEBaiIIIAFJDQAL" +
    "IAdBBGoiByAESQ0ACwsAlwEEbmFtZQEJAQAGc3VtX29mAmECAAEAAXYBFgABeAEBVAIBVwMBYgQEbk91dAUDbklu" +
    "BgF5BwFvCAF0CQFpCgNlbmQLA3JvdwwDb3V0DQJ3MA4CdzEPAncyEAJ3MxEFdmFsdWUSAnMwEwJzMRQCczIVAnMz" +
    "AyIBAQMACXJvd3Nfb2ZfVwEJcm93c19vZl94Agdjb2x1bW5z";

  /** Where arrays live, and the linear() that reads them there. */
  gpt.workspace = function (nFloats, useWasm = true) {
    const plain = { wasm: false, floats: (n) => new Float32Array(n), linear };
    if (!useWasm) return plain;
    try {
      const memory = new WebAssembly.Memory({ initial: Math.ceil((4 * nFloats + 16) / 65536) });
      const code = Uint8Array.from(atob(LINEAR_WASM), (c) => c.charCodeAt(0));
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), {
        env: { memory },
      });
      let next = 16; // address 0 means that there is no bias
      const floats = (n) => {
        const array = new Float32Array(memory.buffer, next, n);
        next += 16 * Math.ceil(n / 4);
        return array;
      };
      const fast = (x, T, W, b, nOut, nIn, y) => {
        exports.linear(
          x.byteOffset,
          T,
          W.byteOffset,
          b ? b.byteOffset : 0,
          nOut,
          nIn,
          y.byteOffset,
        );
        return y;
      };
      return { wasm: true, floats, linear: fast };
    } catch {
      return plain; // an old browser, or a page whose policy forbids WebAssembly
    }
  };
})((globalThis.gpt ??= {}));
