# SPDX-License-Identifier: Apache-2.0
r"""Make a text harmless as a cell of a spreadsheet.

Theory: a spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and formulas fetch addresses and
start programs. OWASP's remedy ("CSV Injection") is an apostrophe before such a cell, which makes it text.

Facts: spaces, quotes and invisible characters before the sign are skipped by some; compatibility forms of the signs
(`＝`) are folded by others. A program that was told another separator than the comma splits at `;` and TAB, so that a
formula may begin inside a cell; there the sign gets its apostrophe too. Line breaks, escape sequences of terminals and
marks that turn the direction of text are written as `\n`, `\x1b`, `\u202e`, so that a reader sees what is there.

Warning: this is for people's eyes. What a machine reads back exactly is NDJSON.
"""

import re
import unicodedata
from typing import Final

_SIGNS: Final = frozenset("=+-@")
# U+2212 is what word processors make of a minus; no normalisation folds it.
_ALIASES: Final = frozenset("\N{MINUS SIGN}")
_QUOTES: Final = frozenset("\"'`´‘’‚‛“”„‟«»‹›＂＇")
_BREAKS: Final = frozenset(";\t\r\n")
_APOSTROPHE: Final = "'"
# Most cells are of these alone and begin with none that matters.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .,:/*{}\[\]()+=@-]*", re.ASCII)
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ONE_BYTE: Final = 0xFF
_TWO_BYTES: Final = 0xFFFF


def harmless(text: str) -> str:
    """Return `text` so that no part of it can become a formula, and all of it can be seen."""
    if _PLAIN.fullmatch(text):
        return text
    return visible(_guarded(text))


def visible(text: str) -> str:
    """Return `text` on one line, with its control and format characters as escapes."""
    return "".join(_escape(letter) if unicodedata.category(letter) in _HIDDEN else letter for letter in text)


def _guarded(text: str) -> str:
    """Return `text` with an apostrophe at its start where it could be a formula, and before signs further in."""
    kept: list[str] = []
    begins = True
    first = True
    for letter in text:
        if begins and not _is_skipped(letter):
            if _is_sign(letter):
                kept.insert(0 if first else len(kept), _APOSTROPHE)
            begins = first = False
        if letter in _BREAKS:
            if not kept:
                kept.append(_APOSTROPHE)
            begins = True
        kept.append(letter)
    return "".join(kept)


def _is_skipped(letter: str) -> bool:
    return letter in _QUOTES or letter.isspace() or unicodedata.category(letter) in _HIDDEN


def _is_sign(letter: str) -> bool:
    return letter in _SIGNS or letter in _ALIASES or not _SIGNS.isdisjoint(unicodedata.normalize("NFKC", letter))


def _escape(letter: str) -> str:
    code = ord(letter)
    if letter in _NAMED:
        return _NAMED[letter]
    if code <= _ONE_BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _TWO_BYTES else f"\\U{code:08x}"
