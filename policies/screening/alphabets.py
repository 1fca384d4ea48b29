# SPDX-License-Identifier: Apache-2.0
"""Readings of other signs as letters: upside-down letters, flags, Braille, Morse, numbers, quoted-printable, bits.

Each asks for so many signs of its own that a text has them by chance only where it is about them.
"""

import re
from array import array
from collections.abc import Iterator
from typing import Final

from policies.screening.view import Reading, View
from policies.screening.words import weight_of

_LATIN: Final = "abcdefghijklmnopqrstuvwxyz"
_LEAST: Final = 4

# Turned by half a circle: what reads like the letter, most common first. Those of ASCII are turned where others are.
_TURNED: Final = {
    "ɐ": "a", "ɔ": "c", "ǝ": "e", "ə": "e", "ɟ": "f", "ƃ": "g", "ɓ": "g", "ᵷ": "g", "ɥ": "h", "ᴉ": "i", "ı": "i",
    "ɾ": "j", "ſ": "j", "ʞ": "k", "ꞁ": "l", "ʅ": "l", "ן": "l", "ɯ": "m", "ɹ": "r", "ʇ": "t", "ʌ": "v", "ʍ": "w",
    "ʎ": "y", "∀": "A", "Ɔ": "C", "Ǝ": "E", "Ⅎ": "F", "⅁": "G", "פ": "G", "Ʞ": "K", "˥": "L", "Ԁ": "P", "Ό": "Q",
    "ᴚ": "R", "┴": "T", "⊥": "T", "∩": "U", "Λ": "V", "⅄": "Y", "¿": "?", "¡": "!", "˙": ".", "‘": ",", "„": '"',
}  # fmt: skip
_TURNED_ALONE: Final = re.compile("[ɐɔǝɟƃᵷɥᴉɾʞꞁɯɹʇʌʍʎ∀Ɔ⅁Ǝ⅄]")
_WITH_ASCII: Final = str.maketrans(_TURNED | dict(zip("bdpqnuMW69'", "qpdbunWM96,", strict=True)))

_OVERRIDDEN: Final = re.compile("\u202e([^\u202a-\u202e\u2066-\u2069\\n]{2,}+)")

_PICTURED: Final = {
    **{0x1F1E6 + place: letter for place, letter in enumerate(_LATIN)},
    **dict(zip(map(ord, "⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵⠀"), _LATIN + " ", strict=True)),
}
_PICTURES: Final = re.compile("[\U0001f1e6-\U0001f1ff⠁-⠿]")

_MORSE: Final = re.compile(r"(?:[.·•_-]{1,5}(?:[ \t]{0,3}[/|\n][ \t]{0,3}|[ \t]{1,3}|$)){6,}+")
_MORSE_LETTER: Final = re.compile(r"([.·•_-]{1,5})([ \t]*[/|\n]|[ \t]{2,})?")
_MORSE_OF: Final = {
    sign: letter
    for letter, sign in (
        part.split("=")
        for part in re.findall(
            r"[a-z0-9]=\S+",
            """
            a=.- b=-... c=-.-. d=-.. e=. f=..-. g=--. h=.... i=.. j=.--- k=-.- l=.-.. m=-- n=-. o=--- p=.--. q=--.-
            r=.-. s=... t=- u=..- v=...- w=.-- x=-..- y=-.-- z=--.. 0=----- 1=.---- 2=..--- 3=...-- 4=....- 5=.....
            6=-.... 7=--... 8=---.. 9=----.
            """,
        )
    )
}
_MORSE_SIGNS: Final = str.maketrans("·•_", "..-")

_NUMBERS: Final = re.compile(r"(?<![0-9])[0-9]{2,8}(?:[\s,;:._-]{1,3}[0-9]{2,8}){5,}+(?![0-9])|(?<![0-9])[01]{48,}+")
_NUMBER: Final = re.compile(r"[0-9]+")
_BYTE_OF_BITS: Final = re.compile(r"[01]{8}")

_QUOTED: Final = re.compile(r"=(?:([0-9A-Fa-f]{2})|\r?\n)")
_QUOTED_RUN: Final = re.compile(r"(?:=[0-9A-Fa-f]{2})+")

_INVISIBLE_BITS: Final = re.compile("[\u180e\u200b-\u200d\u2060-\u2064\ufeff]{40,}+")


def upside_down(view: View) -> Iterator[Reading]:
    """Give what a text says from its first letter that is turned to its last, with what stands in line with them."""
    text = view.text
    places = [found.start() for found in _TURNED_ALONE.finditer(text)] if not text.isascii() else []
    if len(places) < _LEAST:
        return
    start = text.rfind("\n", 0, places[0]) + 1
    end = text.find("\n", places[-1])
    end = len(text) if end < 0 else end
    yield Reading(view, text[start:end].translate(_WITH_ASCII)[::-1], range(end - 1, start - 1, -1))


def overridden(view: View) -> Iterator[Reading]:
    """Give the text in the order in which it is shown where marks override the direction of what is between them."""
    text = view.text
    if text.isascii() or not (spans := [found.span(1) for found in _OVERRIDDEN.finditer(text)]):
        return
    places = list(range(len(text)))
    for start, end in spans:
        places[start:end] = places[start:end][::-1]
    yield Reading(view, "".join([text[place] for place in places]), places)


def pictured(view: View) -> Iterator[Reading]:
    if not view.text.isascii() and len(_PICTURES.findall(view.text)) >= _LEAST:
        yield Reading(view, view.text.translate(_PICTURED), range(len(view.text)))


def morse(view: View) -> Iterator[Reading]:
    for run in _MORSE.finditer(view.text):
        letters, starts, ends = [], array("L"), array("L")
        for sign in _MORSE_LETTER.finditer(run[0]):
            letters.append(_MORSE_OF.get(sign[1].translate(_MORSE_SIGNS), "?"))
            starts.append(run.start() + sign.start(1))
            ends.append(run.start() + sign.end(1))
            if sign[2]:
                letters.append(" ")
                starts.append(run.start() + sign.start(2))
                ends.append(run.start() + sign.end(2))
        text = "".join(letters)
        if sum(map(weight_of, text.split())) >= 1:
            yield Reading(view, text, starts, ends)


def numbered(view: View) -> Iterator[Reading]:
    """Give what numbers spell: codes of ASCII in decimal or octal, or bytes of bits."""
    for run in _NUMBERS.finditer(view.text):
        found = [(part.start(), part[0]) for part in _NUMBER.finditer(run[0])]
        if len(found) == 1:
            found = [(part.start(), part[0]) for part in _BYTE_OF_BITS.finditer(run[0])]
        parts = [(run.start() + at, digits) for at, digits in found]
        for base in (2, 10, 8):
            if (reading := _of_base(view, parts, base)) is not None:
                yield reading
                break


def _of_base(view: View, parts: list[tuple[int, str]], base: int) -> Reading | None:
    bits = base == 2  # noqa: PLR2004
    codes = []
    for _, digits in parts:
        if bits != (len(digits) in {7, 8} and set(digits) <= {"0", "1"}) or (base == 8 and set(digits) & {"8", "9"}):  # noqa: PLR2004
            return None
        codes.append(int(digits, base))
    text = "".join(chr(code) if code < 0x7F else "\ufffd" for code in codes)  # noqa: PLR2004
    letters = sum(character.isalpha() or character == " " for character in text)
    if letters < 0.8 * len(text):
        return None
    ends = [at + len(digits) for at, digits in parts]
    return Reading(view, text, [at for at, _ in parts], ends)


def quoted_printable(view: View) -> Iterator[Reading]:
    text = view.text
    if text.count("=") < _LEAST or len(_QUOTED.findall(text)) < _LEAST:
        return
    parts, starts, ends = [], array("L"), array("L")
    at = 0
    for found in re.finditer(rf"{_QUOTED_RUN.pattern}|=\r?\n", text):
        start, end = found.span()
        parts.append(text[at:start])
        starts.extend(range(at, start))
        ends.extend(range(at + 1, start + 1))
        if text[start + 1] not in "\r\n":
            read = bytes.fromhex(found[0].replace("=", "")).decode("utf-8", "replace")
            parts.append(read)
            starts.extend([start] * len(read))
            ends.extend([end] * len(read))
        at = end
    parts.append(text[at:])
    starts.extend(range(at, len(text)))
    ends.extend(range(at + 1, len(text) + 1))
    yield Reading(view, "".join(parts), starts, ends)


def invisible_bits(view: View) -> Iterator[Reading]:
    """Give what two invisible characters spell that stand for the bits of ASCII."""
    if view.text.isascii():
        return
    for run in _INVISIBLE_BITS.finditer(view.text):
        signs = sorted(set(run[0]))
        if len(signs) != 2:  # noqa: PLR2004
            continue
        for zero, one in (signs, signs[::-1]):
            bits = run[0].translate({ord(zero): "0", ord(one): "1"})
            text = "".join(chr(int(bits[at : at + 8], 2)) for at in range(0, len(bits) - 7, 8))
            if text.isascii() and sum(character.isprintable() for character in text) >= 0.9 * len(text):
                starts = range(run.start(), run.start() + 8 * len(text), 8)
                yield Reading(view, text, starts, range(run.start() + 8, run.start() + 8 * len(text) + 8, 8))
