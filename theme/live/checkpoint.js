/* A sealed file of tensors, read as gpt_helpers/weights/sealed.py reads it: safetensors, float16. */
(function (gpt) {
  "use strict";

  const OPEN_SEAL = "0".repeat(64); // stands where the seal goes while the file is hashed

  /** Returns {tensors: {name: {shape, data}}, facts} of an ArrayBuffer, data as float32. */
  gpt.readSealed = async function (buffer) {
    const { header, start } = readHeader(buffer);
    const { __metadata__: metadata, ...entries } = header;
    const ends = Object.values(entries).map((entry) => entry.data_offsets[1]);
    if (buffer.byteLength < start + Math.max(...ends)) throw damaged("cut short");
    if (!(await isIntact(buffer, metadata.sha256)))
      throw damaged("its content does not fit its seal");
    const tensors = {};
    for (const [
      name,
      {
        dtype,
        shape,
        data_offsets: [from, to],
      },
    ] of Object.entries(entries)) {
      if (dtype !== "F16") throw damaged(`${name} is ${dtype}, not F16`);
      const halves = new Uint16Array(buffer.slice(start + from, start + to)); // a copy is aligned
      tensors[name] = { shape, data: toFloat32(halves) };
    }
    return { tensors, facts: JSON.parse(metadata.facts) };
  };

  function damaged(found) {
    return Object.assign(new Error(found), { reason: "damaged" });
  }

  /** The header is its length in 8 bytes, then JSON; the tensors start behind it. */
  function readHeader(buffer) {
    try {
      const length = Number(new DataView(buffer).getBigUint64(0, true));
      const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
      if (header.__metadata__.sha256.length !== OPEN_SEAL.length) throw new Error("no seal");
      return { header, start: 8 + length };
    } catch (error) {
      throw damaged(`no sealed file (${error.message})`);
    }
  }

  /** The seal is the SHA-256 of the file with an open seal in its place. */
  async function isIntact(buffer, seal) {
    if (!globalThis.crypto?.subtle) return true; // only pages from https, localhost or disk may hash
    const bytes = new Uint8Array(buffer.slice(0));
    const text = new TextDecoder("latin1").decode(bytes.subarray(0, 1 << 20));
    const at = text.indexOf(`"sha256":"${seal}"`) + '"sha256":"'.length;
    bytes.set(new TextEncoder().encode(OPEN_SEAL), at);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return seal === Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  let values = null; // of all 65,536 float16 numbers: a look-up is quicker than arithmetic

  function toFloat32(halves) {
    values ??= Float32Array.from({ length: 65536 }, (_, bits) => {
      const sign = bits >> 15 ? -1 : 1,
        exponent = (bits >> 10) & 31,
        fraction = bits & 1023;
      if (exponent === 0) return sign * fraction * 2 ** -24;
      if (exponent === 31) return fraction ? NaN : sign * Infinity;
      return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
    });
    return Float32Array.from(halves, (bits) => values[bits]);
  }
})((globalThis.gpt ??= {}));
