"""Compares the scanner with Python's json on the corpus and on small changes of it.

Usage: against_python.py VERDICT CORPUS. Same answer on what is JSON, of which kind, and
on the job's name. Where the two differ on purpose, agreed() says why.
"""

import json
import os
import struct
import subprocess
import sys

KINDS = {type(None): 1, bool: 2, float: 3, str: 4, list: 5, dict: 6}
CHANGED_BELOW_BYTES = 120
PUT = [b"\0", b"\t", b" ", b'"', b"\\", b"{", b"}", b"]", b",", b":", b"0", b"e", b"\xff"]


def cases(corpus):
    for name in sorted(os.listdir(corpus)):
        with open(os.path.join(corpus, name), "rb") as seed:
            text = seed.read()
        yield name, text
        if len(text) >= CHANGED_BELOW_BYTES:
            continue
        for at in range(len(text)):
            yield f"{name} without byte {at}", text[:at] + text[at + 1 :]
            for put in PUT:
                yield f"{name} with {put!r} at {at}", text[:at] + put + text[at:]
                yield f"{name} with {put!r} for {at}", text[:at] + put + text[at + 1 :]


def refuse_constant(word):
    raise ValueError(word)  # NaN and Infinity are no JSON


def python_verdict(text):
    """Whether it is JSON, and the value. Numbers are all 0.0: size does not matter."""
    try:
        return True, json.loads(
            text.decode("utf-8", "surrogateescape"),
            parse_constant=refuse_constant,
            parse_int=lambda digits: 0.0,
            parse_float=lambda digits: 0.0,
        )
    except ValueError:
        return False, None


def python_name(value):
    """The name's bytes where it can be one."""
    name = value.get("displayName")
    if name is None or name == "":
        name = value.get("job")
    if not isinstance(name, str):
        return None
    try:
        name = name.encode()
    except UnicodeEncodeError:  # half a surrogate pair, or bytes that were no UTF-8
        return None
    return name if 0 < len(name) <= 255 and b"\0" not in name else None


def agreed(text, words):
    try:
        good, value = python_verdict(text)
    except RecursionError:  # on purpose: deep data runs, while newer Pythons give up
        return True
    if not good:
        return words == ["bad"]
    if words[:2] != ["json", str(KINDS[type(value)])]:
        return False
    if len(words) == 2:  # refused as a payload or without a name: check_payload's matter
        return True
    return words[2] == python_name(value).hex()


def main():
    sys.setrecursionlimit(20000)
    verdict, corpus = sys.argv[1:]
    names, texts = zip(*cases(corpus))
    stdin = b"".join(struct.pack(">I", len(text)) + text for text in texts)
    run = subprocess.run([verdict], input=stdin, stdout=subprocess.PIPE, check=True)
    lines = run.stdout.decode().splitlines()
    if len(lines) != len(texts):
        sys.exit(f"{len(texts)} texts, {len(lines)} verdicts")
    wrong = [
        f"{name}: {line}: {text!r}"
        for name, text, line in zip(names, texts, lines)
        if not agreed(text, line.split())
    ]
    named = sum(line.count(" ") == 2 for line in lines)
    print("\n".join(wrong[:20]))
    print(f"{len(texts)} texts, {named} with a name, {len(wrong)} disagreements")
    sys.exit(bool(wrong) or named == 0)


main()
