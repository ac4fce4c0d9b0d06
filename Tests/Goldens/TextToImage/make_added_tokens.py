"""Goldens of tokens that a tokenizer's folder adds: strings and their tokens by transformers' CLIPTokenizer.

Usage: python make_added_tokens.py [--slow]

Needs transformers 5 and tokenizers; reads tokenizer/ beside itself and writes added.json: for each case the files that
are put beside the vocabulary, strings, and their tokens. With --slow and transformers 4, prints where its tokenizer in
Python differs, and writes nothing: it does not fold case or spaces around added tokens, and "single_word" looks for
spaces where the other looks for anything that is not part of a word.

Two things are not that tokenizer's. Tokens keep the numbers of their files, which the embeddings were learned under
(so do all tokenizers of transformers 4; those of 5 number them anew). And a token with <token>_1, <token>_2 and so on
beside it stands for all of them, as in the prompts of diffusers' pipelines; here in any case.
"""

import json
import pathlib
import re
import shutil
import sys
import tempfile

from transformers import CLIPTokenizer

HERE = pathlib.Path(__file__).parent
STRINGS = [
    "", "a photo of <cat-toy>", "a photo of <Cat-Toy>, red", "<cat-toy><cat-toy>", "a<cat-toy>b", "a <cat-toy> b",
    "  <cat-toy>\t\n b", "<cat-toy>s", "the <cat-toy>'s hat", "<cat-toy", "<cat-toy_1> and <cat-toy>",
    "<cat>-toy <cat> <cat-toy>", "sks", "a sks dog", "SKS dog", "asks", "sks1", "sks_x", "sks-x", "(sks)", "sks sks",
    "a\u00e9sks", "sks\u00e9", "\u732b sks\u732b", "<|endoftext|> sks", "caf\u00e9 Caf\u00e9 cafe\u0301 CAFE\u0301",
    "<\u00c9>", "two  words here", "two words", "two\nwords", "two words and TWO WORDS", "!", "a! b", "[PAD]", "a [pad] b",
    "<|startoftext|>", "<|STARTOFTEXT|>", "word " * 90 + "sks", "<cat-toy> " * 80,
]


def token(text, **flags):
    return dict(dict(content=text, lstrip=False, normalized=True, rstrip=False, single_word=False, special=False), **flags)


def decoder(*tokens):
    """Of tokens that follow the vocabulary's 1,200."""
    return {str(1_200 + index): token for index, token in enumerate(tokens)}


MARKERS = {"1198": token("<|startoftext|>", special=True), "1199": token("<|endoftext|>", special=True)}
CONFIGURATION = {"model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}


def cases():
    yield "added_tokens.json", {"added_tokens.json": {"<cat-toy>": 1_200, "sks": 1_201, "<cat-toy_1>": 1_202}}
    yield "special tokens", {
        "added_tokens.json": {"<cat-toy>": 1_200, "sks": 1_201},
        "special_tokens_map.json": {"additional_special_tokens": ["<cat-toy>"]},
    }
    yield "longest first", {"added_tokens.json": {"<cat>": 1_200, "<cat>-toy": 1_201, "<cat-toy>": 1_202}}
    yield "not after the vocabulary", {"added_tokens.json": {"<cat-toy>": 1_250, "two words": 1_260, "caf\u00e9": 1_203}}
    yield "decoder", {"tokenizer_config.json": {**CONFIGURATION, "added_tokens_decoder": decoder(
        token("<cat-toy>"), token("sks", normalized=False), token("two words"), token("<\u00c9>"))}}
    yield "decoder with markers", {"tokenizer_config.json": {
        **CONFIGURATION, "added_tokens_decoder": {**MARKERS, **decoder(token("<cat-toy>"), token("sks"))}}}
    for normalized in [True, False]:
        for flag in ["lstrip", "rstrip", "single_word"]:
            yield f"{flag}, {'normalized' if normalized else 'as written'}", {"tokenizer_config.json": {
                **CONFIGURATION, "added_tokens_decoder": decoder(
                    token("<cat-toy>", normalized=normalized, **{flag: True}),
                    token("sks", normalized=normalized, **{flag: True}))}}
    yield "several vectors", {"added_tokens.json": {"<cat-toy>": 1_200, "<cat-toy>_1": 1_201, "<cat-toy>_2": 1_202}}
    yield "padding", {
        "added_tokens.json": {"[PAD]": 1_200, "sks": 1_201},
        "special_tokens_map.json": {"pad_token": "[PAD]"},
    }


def expanded(text, added):
    for token in added:
        several = [token]
        while f"{token}_{len(several)}" in added:
            several.append(f"{token}_{len(several)}")
        if len(several) > 1:
            text = re.sub(re.escape(token), " ".join(several), text, flags=re.IGNORECASE)
    return text


def main():
    slow = "--slow" in sys.argv
    result = []
    for name, files in cases():
        given = files.get("added_tokens.json", {})
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(HERE / "tokenizer", folder, dirs_exist_ok=True)
            for file, content in files.items():
                (pathlib.Path(folder) / file).write_text(json.dumps(content))
            tokenizer = CLIPTokenizer.from_pretrained(folder, model_max_length=77)
            texts = [expanded(text, tokenizer.get_added_vocab()) for text in STRINGS]
            tokens = tokenizer(texts, truncation=True).input_ids
            tokens = [[given.get(tokenizer.convert_ids_to_tokens(i), i) for i in row] for row in tokens]
        result.append({"name": name, "files": files, "tokens": tokens})
    golden = {"strings": STRINGS, "cases": result}
    path = HERE / "added.json"
    if not slow:
        path.write_text(json.dumps(golden, separators=(",", ":"), ensure_ascii=True) + "\n")
        return
    for ours, theirs in zip(json.loads(path.read_text())["cases"], result):
        for text, a, b in zip(STRINGS, ours["tokens"], theirs["tokens"]):
            if a != b:
                print(f"{ours['name']}: {text!r}\n  fast {a[:20]}\n  slow {b[:20]}")


if __name__ == "__main__":
    main()
