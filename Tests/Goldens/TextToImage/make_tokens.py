"""Tokenizer goldens: 1,000 strings and their tokens by transformers' CLIPTokenizer.

Usage: python make_tokens.py [--public bpe_simple_vocab_16e6.txt.gz]

Needs transformers and tokenizers; writes beside itself:
  tokenizer/      a vocabulary of 1,200 tokens, trained on the strings themselves
  strings.json    the strings
  tokens.json     their tokens: with the end marker as padding, and with "!"
  public.json     their tokens with CLIP's public vocabulary, from the file in open_clip_torch
"""

import argparse
import collections
import gzip
import json
import pathlib
import random

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

HERE = pathlib.Path(__file__).parent
SIZE = 1_200
START, END = "<|startoftext|>", "<|endoftext|>"
WORDS = """a photo of the red blue green knight holding silver sword shield wooden staff with long golden hair
standing in front an old castle astronaut riding horse on mars highly detailed oil painting by candlelight portrait
young woman wearing glasses cat sitting under umbrella it's don't we're I'm they'll she'd you've can't wouldn't
NASA iPhone McDonald O'Brien 4k 8K 1920s 16:9 f/1.8 state-of-the-art Café naïve façade coöperate Ångström ÉCOLE
straße GROSSE İstanbul ŒUVRE ǅungla Ω ὈΔΥΣΣΕΎΣ Σίσυφος Москва кошка 東京 猫 寿司 北京 고양이 한국어 ภาษาไทย
हिन्दी العربية עברית ½ Ⅷ ② ٣ x² H₂O € £100 $5.99 50% #hashtag @user https://example.org/a?b=c&d=e
(parentheses) [brackets] {braces} "quotes" “curly” ‘single’ … — – • ™ © ® → ≠ ∞ ♥ ★""".split()
EMOJI = ["😀", "👍🏽", "👩‍🚀", "🏳️‍🌈", "🇯🇵", "❤️", "1️⃣", "👨‍👩‍👧‍👦", "🧑🏿‍🎨", "☃"]
MARKS = [START, END, "<|StartOfText|>", "<|ENDOFTEXT|>!", "<|end", "|>", "!", "!!", "?!", "'s", "'S", "''ll", "</w>"]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u0085", "\u200b", "\ufeff", "\0"]
EDGES = [
    "", " ", "\n\t ", "!", "a", "'", "'s", END, START + END, "a" + END + "b", "e\u0301", "\u0301", "A\u030a",
    "\u1100\u1161\u11a8", "\u212b", "ﬁ ligature", "ß ẞ", "ΑΣ ΑΣΑ", "İ", "don't can't", "I'M THEY'LL", "rock'n'roll",
    "''''", "1234567890", "a1b2", "½¾", "x" * 300, "word " * 200, "😀" * 40, "漢" * 100, "!" * 100, "hello, world!",
    "<|startoftext|>x", "!<|startoftext|>!", "<|STARTOFTEXT|>!", "\u202eabc", "a\u200db", "\U0001f1e6", "_snake_case_",
    "\u2028line\u2029", "\x07bell", "\x7f", "ªº", "Ǆǅǆ", "٠١٢", "ก็", "ำ", "👩‍❤️‍💋‍👨",
]


def strings():
    rng = random.Random(2024)
    result = list(EDGES)
    seen = set(result)
    while len(result) < 1_000:
        parts = []
        for _ in range(rng.choice([1, 2, 3, 5, 8, 13, 13, 21] + [90] * (rng.random() < 0.2))):
            kind = rng.random()
            if kind < 0.82:
                word = rng.choice(WORDS)
                parts.append(rng.choice([word, word, word, word.upper(), word.capitalize()]))
            elif kind < 0.87:
                parts.append(rng.choice(EMOJI))
            elif kind < 0.92:
                parts.append(rng.choice(MARKS))
            elif kind < 0.96:
                parts.append(str(rng.randrange(10 ** rng.randrange(1, 7))))
            else:
                points = [rng.choice([(0x21, 0x7e), (0xa1, 0x24f), (0x300, 0x36f), (0x391, 0x3c9), (0x400, 0x45f),
                                      (0x4e00, 0x9fff), (0xac00, 0xd7a3), (0x1f600, 0x1f64f)]) for _ in range(4)]
                parts.append("".join(chr(rng.randint(*p)) for p in points if p != (0x3a2, 0x3a2)))
        text = parts[0]
        for part in parts[1:]:
            text += rng.choice([" "] * 12 + SPACES + ["", ",", "-"]) + part
        if text not in seen and "\u03a2" not in text:
            seen.add(text)
            result.append(text)
    return result


def layout(merges):
    alphabet = [chr(c) for c in [*range(33, 127), *range(161, 173), *range(174, 256)]]
    alphabet += [chr(256 + i) for i in range(256 - len(alphabet))]
    tokens = alphabet + [a + "</w>" for a in alphabet] + ["".join(m) for m in merges] + [START, END]
    return {token: index for index, token in enumerate(tokens)}


def train(texts):
    """Merges of the most frequent pairs, the alphabetically first of equals."""
    cutter = CLIPTokenizer(vocab=layout([]), merges=[]).backend_tokenizer
    words = collections.Counter()
    for text in texts:
        normal = cutter.normalizer.normalize_str(text)
        words.update(piece for piece, _ in cutter.pre_tokenizer.pre_tokenize_str(normal))
    words = {tuple(w[:-1]) + (w[-1] + "</w>",): n for w, n in words.items()}
    merges = []
    while len(merges) < SIZE - 514:
        pairs = collections.Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        merged = {}
        for word, count in words.items():
            out, i = [], 0
            while i < len(word):
                if word[i : i + 2] == best:
                    out.append(word[i] + word[i + 1])
                    i += 2
                else:
                    out.append(word[i])
                    i += 1
            merged[tuple(out)] = merged.get(tuple(out), 0) + count
        words = merged
    return merges


def dump(value, name):
    (HERE / name).write_text(json.dumps(value, separators=(",", ":"), ensure_ascii=True) + "\n")


def encode(vocabulary, merges, texts, **options):
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77, **options)
    return tokenizer(texts, truncation=True).input_ids, tokenizer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--public")
    arguments = parser.parse_args()
    texts = strings()
    dump(texts, "strings.json")
    merges = train(texts)
    vocabulary = layout(merges)
    folder = HERE / "tokenizer"
    folder.mkdir(exist_ok=True)
    dump(vocabulary, "tokenizer/vocab.json")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    plain, tokenizer = encode(vocabulary, merges, texts)
    padded, _ = encode(vocabulary, merges, texts, pad_token="!")
    differing = {i: row for i, row in enumerate(padded) if row != plain[i]}
    dump({"plain": plain, "exclamationMark": differing}, "tokens.json")
    if arguments.public:
        lines = gzip.open(arguments.public).read().decode("utf-8").split("\n")
        merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
        public, _ = encode(layout(merges), merges, texts)
        dump(public, "public.json")


if __name__ == "__main__":
    main()
