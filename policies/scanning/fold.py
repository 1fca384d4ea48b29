# SPDX-License-Identifier: Apache-2.0
"""What a text looks like to a reader: `folded` gives the characters that scanners look at instead of its own.

Facts. A reader takes a full-width 4, a bold 4 and a 4 with marks above it for a 4, a Cyrillic а for an a, and does not
see a zero-width space at all. A scanner that looks at code points sees none of the numbers and words so written.

Rules.

1. Each code point folds by itself, to no, one or several characters. Nothing depends on its neighbours, so that a text
   folds alike wherever a stream cuts it, and every character of the result stems from one code point of the text.
2. ASCII folds to itself. Case is kept, because keys and secrets differ by it.
3. Texts that Unicode calls equivalent fold alike, but for Hangul, whose syllables are left whole. Marks that stand as
   code points of their own must go, since any of them can be put on any letter. Hence é, which is the same as e and a
   mark, folds to e; and whoever looks for a text folds what it looks for too.
4. Nothing invisible is left, not even what spells ASCII invisibly (tags, variation selectors): were it folded to what
   it spells, one tag within a number would hide the number. What it spells is a view of its own (`smuggled`).

The price of rule 3: words that differ in nothing but marks (résumé and resume, か and が) are one. Findings are numbers
and keys; of the names in a list a few too many are found, and none too few.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

# What is drawn like a character of ASCII, beyond what Unicode itself calls a variant of it (NFKC) or a digit: Latin,
# Cyrillic, Greek, Armenian, Cherokee, Lisu and Coptic letters, punctuation. Small capitals stand for small letters.
_LOOK_ALIKES: Final = {
    "A": "АΑᎪꓮȺ", "B": "ВΒᏴꓐⲂɃ", "C": "СϹᏟꓚⲤ", "D": "ᎠꓓÐĐƉ", "E": "ЕΕᎬꓰɆ", "F": "ꓝϜ", "G": "ԌᏀꓖ",
    "H": "НΗᎻꓧⲎĦ", "I": "ІӀΙꓲⲒƗ", "J": "ЈͿᎫꓙɈ", "K": "КΚᏦꓗⲔ", "L": "ԼᏞꓡŁ", "M": "МΜᎷꓟⲘ", "N": "ΝꓠⲚ",
    "O": "ОΟՕꓳⲞØ", "P": "РΡᏢꓑⲢ", "Q": "Ԛ", "R": "ᎡᏒꓣɌ", "S": "ЅՏᏕᏚꓢ", "T": "ТΤᎢꓔⲦŦ", "U": "ՍꓴɄ",
    "V": "ᏙꓦѴ", "W": "ԜᎳᏔꓪ", "X": "ХΧꓫⲬ", "Y": "УҮΥᎩᎽꓬⲨɎ", "Z": "ΖᏃꓜƵ", "a": "аɑαᴀ", "b": "ᏏʙƀɓЬ",
    "c": "сϲᴄⲥ", "d": "ԁᏧᴅđɗɖ", "e": "еᴇɇ", "f": "ꜰƒ", "g": "ɡցɢɠ", "h": "һհᏂʜħ", "i": "іıɩιᎥɪɨ",
    "j": "јյȷϳᴊɉ", "k": "кκᴋƙ", "l": "ӏʟł", "m": "ᴍɱ", "n": "ոռηɴɲ", "o": "оοօᴏøⲟ", "p": "рρᴘƥⲣ",
    "q": "ԛզ", "r": "ʀɍɾ", "s": "ѕꜱƨ", "t": "τᴛŧƭ", "u": "սυᴜʉʋ", "v": "ѵνᴠ", "w": "ԝѡᴡ", "x": "хχ",
    "y": "уүγʏƴ", "z": "ᴢƶ", "'": "‘’‚‛´\u1ffdʹʼ′", '"': "“”„‟″", "-": "‐‑‒–—―⁃−˗➖ー─⸺⸻֊", ".": "․。ꓸ",
    ":": "∶꞉", "/": "⁄∕⧸", "\\": "∖", "+": "➕", "*": "∗", "!": "ǃ", " ": "\u2800",
    "\n": "\x85\u2028\u2029",
}  # fmt: skip
_ASCII_OF: Final = {
    **{like: character for character, likes in _LOOK_ALIKES.items() for like in likes},
    # White letters on black circles and squares, which Unicode calls variants of nothing.
    **{chr(first + place): chr(65 + place) for first in (0x1F150, 0x1F170) for place in range(26)},
}

# What is not seen, beside the marks (categories Mn and Me): default-ignorable code points, and interlinear annotations.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

# Half of a surrogate pair has no UTF-8.
_REPLACEMENT: Final = "\ufffd"


def _fold(character: str) -> str:
    if character.isascii() or "가" <= character <= "힣":
        return character
    if "\ud800" <= character <= "\udfff":
        return _REPLACEMENT
    if _INVISIBLE.match(character) or unicodedata.category(character) in {"Mn", "Me"}:
        return ""
    if (like := _ASCII_OF.get(character)) is not None:
        return like
    if (digit := unicodedata.digit(character, None)) is not None:
        return str(digit)
    # What it consists of may itself be looked through: ё is е and a mark, and ｡ is a narrow 。.
    parts = unicodedata.normalize("NFKD", character)
    return character if parts == character else "".join(map(_fold, parts))


class _Folds(dict[int, str]):
    """What a code point folds to, found out when it is first asked for."""

    # More than all that ever folds, and as much as a text in many scripts may leave here: a few megabytes.
    MOST = 65_536

    def __missing__(self, code_point: int) -> str:
        fold = _fold(chr(code_point))
        if len(self) < self.MOST:
            self[code_point] = fold
        return fold


def _ranges(code_points: Iterable[int]) -> str:
    """Give the inside of a class of `re`."""
    ranges: list[list[int]] = []
    for code_point in code_points:
        if ranges and ranges[-1][1] == code_point - 1:
            ranges[-1][1] = code_point
        else:
            ranges.append([code_point, code_point])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


# Scripts of which no code point folds, so that looking at each of them is spared: ideographs, Hangul, private use.
_WHOLE: Final = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000), range(0xAC00, 0xD7A4), range(0xE000, 0xF900))
# Beyond the basic plane ranges do, since `re` tries one after another there. Emoji stand between them.
_BEYOND: Final = "\U00010000-\U0001f265\U0001fbf0-\U0001fbf9\U0002f800-\U0010ffff"


def _folding() -> "re.Pattern[str]":
    plane = (
        code_point
        for span in _complement(_WHOLE, 0x80, 0x10000)
        for code_point in span
        if _fold(character := chr(code_point)) != character
    )
    return re.compile(f"[{_ranges(plane)}{_BEYOND}]")


def _complement(spans: Iterable[range], start: int, stop: int) -> Iterable[range]:
    for span in spans:
        yield range(start, span.start)
        start = span.stop
    yield range(start, stop)


# A text has few different characters that fold: to replace each of them everywhere is quicker than to look up every
# character of the text. Looking up is quicker for short texts in other scripts, and where they are many.
_SPARSE: Final = 4
_FEW: Final = 4
_MANY: Final = 64
_CHARACTERS_FOR_ONE_MORE: Final = 64
_ASCII: Final = bytes(range(128))

FOLDS: Final = _Folds()
_FOLDING: Final = _folding()


def folded(text: str) -> str:
    """Give what is scanned instead of the text: ASCII where it looks like ASCII, and nothing invisible."""
    if text.isascii():
        return text
    beyond = text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")
    result = text
    few = _FEW if len(beyond) * _SPARSE < len(text) else 0
    for _ in range(min(few + len(text) // _CHARACTERS_FOR_ONE_MORE, _MANY)):
        if (found := _FOLDING.search(beyond)) is None:
            return result
        # What it folds to does not fold again, so that one does not come in the way of another.
        result = result.replace(found[0], FOLDS[ord(found[0])])
        beyond = beyond[found.end() :].replace(found[0], "")
    return text.translate(FOLDS)
