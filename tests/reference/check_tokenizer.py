#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent tokenizer, to hold neurons/import/tokenizer.c against.

    check_tokenizer.py FOLDER FILE...   prints each file's token ids on one line
    check_tokenizer.py --golden         prints the cases of tests/test_tokenizer.c

It shares nothing with the C: Unicode comes from Python's unicodedata and the
module regex (Debian: python3-regex), merging is written as GPT-2 published
it, every occurrence of the best pair in one pass.
"""
import json, sys, unicodedata
import regex

PIECES = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+")

GOLDEN_MERGES = [
    "t h", "Ġ th", "Ġth e", "i n", "Ġ a", "e r", "Ġ Ġ", "ĠĠ ĠĠ", "Ċ Ċ", "a b", "ab ab",
    "abab abab", "' s", "Ð ¿", "Ð ¸", "ã ģ", "à ¤", "Ã ¤", "á Ħ", "í ķ", "l l", "Ġ å",
    "D O", "DO N"]
GOLDEN_TEXTS = [
    "In the beginning God created the heaven", "don't they're \u017f 'S's'\u017f DON'T",
    "  two  spaces,    four\n\n  three\n\n\n", "abababab ababab abab'ab",
    "12 345 \u0663\u2167\u00bd", "e\u0301\u0323 a\u0308b\u00e4 \u212b",
    "\u1112\u1161\u11ab\ud55c \uac00\u11a7",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002\u3053\u3093",
    "\u043f\u0440\u0438\u0432\u0435\u0442\u0301!",
    "x\x0b\x0cy\u00a0z\u0085\u2028w\u180ev \u3000", "\u0928\u092e\u0938\u094d\u0924\u0947",
    "...\r\n!!\n\t\r\n end \t", "\U0001f600\U0001f44d\U0001f3fd\u200d \u2764\ufe0f",
    "a\0b\x7f\ufffd\ufeff\U0010ffff", "\u0344\u0f73\u2126\ufb1d\U0001d15e"]


def byte_alphabet():
    """The character that stands for each byte, as GPT-2's encoder.py makes them."""
    bytes_, characters, moved = [], [], 0
    for low, high in ((33, 126), (161, 172), (174, 255)):
        bytes_ += range(low, high + 1)
        characters += range(low, high + 1)
    for byte in range(256):
        if byte not in bytes_:
            bytes_.append(byte)
            characters.append(256 + moved)
            moved += 1
    return {b: chr(c) for b, c in zip(bytes_, characters)}


ALPHABET = byte_alphabet()


def merge(symbols, ranks):
    while len(symbols) > 1:
        best = min(zip(symbols, symbols[1:]), key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        merged, i = [], 0
        while i < len(symbols):
            if tuple(symbols[i:i + 2]) == best:
                merged.append(best[0] + best[1])
                i += 2
            else:
                merged.append(symbols[i])
                i += 1
        symbols = merged
    return symbols


def tokenise(text, vocabulary, ranks):
    ids = []
    for piece in PIECES.findall(unicodedata.normalize("NFC", text)):
        symbols = [ALPHABET[byte] for byte in piece.encode()]
        ids += [vocabulary[symbol] for symbol in merge(symbols, ranks)]
    return ids


def ranks_of(lines):
    return {tuple(line.split(" ")): rank for rank, line in enumerate(lines)}


def main():
    if sys.argv[1:] == ["--golden"]:
        vocabulary = {character: byte for byte, character in ALPHABET.items()}
        for rank, line in enumerate(GOLDEN_MERGES):
            vocabulary[line.replace(" ", "")] = 256 + rank
        for text in GOLDEN_TEXTS:
            print(ascii(text), *tokenise(text, vocabulary, ranks_of(GOLDEN_MERGES)))
        return
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder = sys.argv[1]
    with open(folder + "/vocab.json", encoding="utf-8") as file:
        vocabulary = json.load(file)
    with open(folder + "/merges.txt", encoding="utf-8") as file:
        lines = [line for line in file.read().split("\n") if line]
    ranks = ranks_of(lines[1:] if lines[0].startswith("#version") else lines)
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8", newline="") as file:
            print(*tokenise(file.read(), vocabulary, ranks))


main()
