/* Byte-level BPE, as gpt_helpers/text/tokenizer.py builds it from the list of merges. */
(function (gpt) {
  "use strict";

  const END_OF_TEXT = "<|endoftext|>";

  // GPT-2's pattern. JavaScript's \s is not Unicode's white space, so that is spelled out.
  const WORDS = new RegExp(
    String.raw`'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+` +
      String.raw`|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+`,
    "gu",
  );

  /** Each byte as the character that stands for it: itself if it prints, else one from 256 on. */
  function byteAlphabet() {
    const prints = (byte) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    let next = 256;
    return Array.from({ length: 256 }, (_, byte) =>
      String.fromCharCode(prints(byte) ? byte : next++),
    );
  }

  class Tokenizer {
    /** merges is [[left, right], ...] in order; token 0 ends a text, then come the bytes. */
    constructor(merges) {
      this.alphabet = byteAlphabet();
      this.byteOf = new Map(this.alphabet.map((character, byte) => [character, byte]));
      this.tokens = [END_OF_TEXT, ...[...this.alphabet].sort()];
      this.ids = new Map(this.tokens.map((token, id) => [token, id]));
      this.ranks = new Map(merges.map(([left, right], rank) => [`${left} ${right}`, rank]));
      for (const token of merges.map((pair) => pair.join(""))) {
        if (!this.ids.has(token)) this.ids.set(token, this.tokens.push(token) - 1);
      }
    }

    encode(text) {
      return text
        .split(END_OF_TEXT)
        .flatMap((part, index) => [
          ...(index ? [0] : []),
          ...Array.from(part.matchAll(WORDS)).flatMap(([word]) => this.encodeWord(word)),
        ]);
    }

    /** Joins, again and again, the pair that was learned first. */
    encodeWord(word) {
      let parts = Array.from(new TextEncoder().encode(word), (byte) => this.alphabet[byte]);
      for (;;) {
        const ranks = parts
          .slice(1)
          .map((right, i) => this.ranks.get(`${parts[i]} ${right}`) ?? Infinity);
        const best = Math.min(...ranks);
        if (best === Infinity) return parts.map((part) => this.ids.get(part));
        const joined = [];
        for (let i = 0; i < parts.length; i++) {
          const joins = this.ranks.get(`${parts[i]} ${parts[i + 1]}`) === best;
          joined.push(joins ? parts[i] + parts[++i] : parts[i]);
        }
        parts = joined;
      }
    }

    /** The text of a whole list of tokens: a character may be split between two of them. */
    decode(ids) {
      const characters = ids.filter((id) => id > 0).flatMap((id) => Array.from(this.tokens[id]));
      const bytes = Uint8Array.from(characters, (character) => this.byteOf.get(character));
      return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    }
  }

  Object.assign(gpt, { Tokenizer, END_OF_TEXT });
})((globalThis.gpt ??= {}));
