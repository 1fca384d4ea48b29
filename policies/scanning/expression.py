# SPDX-License-Identifier: Apache-2.0
r"""What a pattern's expression says, as a tree; read from the subset of the syntax of `re` that scanning takes.

Theory: an expression is looked for in three ways (`policies.scanning.forms`), which are written from one tree. So the
subset is what is regular and can be read backwards: characters, classes, groups, alternatives and repetitions. What is
left out has no place here: look-around and back references are not regular, anchors and `\b` would have to be turned
round (a pattern says with `alone` what may not touch it), and whether a repetition is lazy makes no difference to where
it can end.
"""

import functools
import re
import string
from collections.abc import Mapping
from typing import Final, NoReturn

from policies.scanning.tree import Chars, Choice, Node, Repeat, Sequence, Value, has_value

# How the part of a match that is the value begins.
VALUE: Final = "(?P<value>"
MAX_REPEAT: Final = 4_096
# Hyperscan counts with a state for each turn. A higher upper limit is none: a match may be longer than it says.
MAX_COUNTED: Final = 256
# Ten thousand texts have few characters, and touch the same.
_REMEMBERED: Final = 1_024
_MAX_DEPTH: Final = 32
_MAX_EXPRESSION: Final = 4_096

_ALL: Final = frozenset(range(256))
_ASCII: Final = frozenset(range(128))
_DIGITS: Final = frozenset(string.digits.encode())
_WORD: Final = frozenset((string.ascii_letters + string.digits + "_").encode())
_SPACE: Final = frozenset(b" \t\n\r\f\v")
_CLASSES: Final[Mapping[str, frozenset[int]]] = {
    "d": _DIGITS,
    "D": _ALL - _DIGITS,
    "w": _WORD,
    "W": _ALL - _WORD,
    "s": _SPACE,
    "S": _ALL - _SPACE,
}
_HEX_BYTE: Final = re.compile(r"[0-9A-Fa-f]{2}")
_CONTROLS: Final = {"n": 10, "t": 9, "r": 13, "f": 12, "v": 11}


class ExpressionError(ValueError):
    """An expression that cannot be looked for. `offset` is the place in it, in characters from 0."""

    def __init__(self, problem: str, offset: int) -> None:
        super().__init__(f"{problem}, at character {offset + 1}")
        self.problem = problem
        self.offset = offset


def parse(expression: str, *, ignore_case: bool = False) -> Node:
    """Return the tree of `expression`. Raises ExpressionError for what is not of the subset."""
    if len(expression) > _MAX_EXPRESSION:
        raise ExpressionError(f"an expression has at most {_MAX_EXPRESSION} characters", _MAX_EXPRESSION)
    return _Reader(expression, ignore_case=ignore_case).whole()


def literal(text: str, *, ignore_case: bool = False) -> Node:
    """Return the tree of a text that is looked for as it is."""
    return Sequence(tuple(_character(character, ignore_case=ignore_case) for character in text))


@functools.lru_cache(maxsize=_REMEMBERED)
def characters(inside: str) -> frozenset[int]:
    """Return the bytes of a class of ASCII characters, of which `inside` is what stands between the brackets."""
    if not inside:
        return frozenset()
    match parse(f"[{inside}]"):
        case Chars(of):
            return of
        case _:
            raise ExpressionError("only ASCII characters", 0)


@functools.lru_cache(maxsize=_REMEMBERED)
def _character(character: str, *, ignore_case: bool) -> Node:
    if character.isascii():
        return Chars(_cases(character) if ignore_case else frozenset(character.encode()))
    spellings = dict.fromkeys((character, character.lower(), character.upper()) if ignore_case else (character,))
    # A lone surrogate is none of any text's UTF-8; it stands for what a scan copy has in its place.
    encoded = [spelling.encode("utf-8", "replace") for spelling in spellings]
    options = tuple(Sequence(tuple(Chars(frozenset((byte,))) for byte in each)) for each in encoded)
    return options[0] if len(options) == 1 else Choice(options)


def _cases(character: str) -> frozenset[int]:
    return frozenset((character.lower() + character.upper()).encode())


class _Reader:
    """Reads one expression from left to right."""

    def __init__(self, expression: str, *, ignore_case: bool) -> None:
        self._text = expression
        self._ignore_case = ignore_case
        self._at = 0
        self._has_value = False

    def whole(self) -> Node:
        node = self._choice(0)
        if self._at < len(self._text):
            self._refuse("a bracket is closed that was not opened")
        return node

    def _refuse(self, problem: str, at: int | None = None) -> NoReturn:
        raise ExpressionError(problem, self._at if at is None else at)

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, token: str) -> bool:
        taken = self._text.startswith(token, self._at)
        if taken:
            self._at += len(token)
        return taken

    def _choice(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            self._refuse(f"groups nest deeper than {_MAX_DEPTH}")
        options = [self._sequence(depth)]
        while self._take("|"):
            options.append(self._sequence(depth))
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while self._next() not in ("", "|", ")"):
            parts.append(self._repeated(depth))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _repeated(self, depth: int) -> Node:
        at = self._at
        node = self._single(depth)
        bounds = self._bounds()
        if bounds is None:
            return node
        if has_value(node):
            self._refuse("the value cannot be within a repetition", at)
        if self._bounds() is not None:
            self._refuse("a repetition is repeated: put a group around it", at)
        least, most = bounds
        return Repeat(node, least, None if most is None or most > max(least, MAX_COUNTED) else most)

    def _bounds(self) -> tuple[int, int | None] | None:
        if self._next() not in tuple("*+?{"):
            return None
        at = self._at
        if self._take("*"):
            bounds: tuple[int, int | None] = 0, None
        elif self._take("+"):
            bounds = 1, None
        elif self._take("?"):
            bounds = 0, 1
        else:
            bounds = self._braces()
        if self._next() == "+":
            self._refuse("a possessive repetition is not regular")
        self._take("?")  # lazy: where it can end is the same
        least, most = bounds
        if max(least, most or 0) > MAX_REPEAT:
            self._refuse(f"a repetition has at most {MAX_REPEAT} turns", at)
        if most is not None and most < max(least, 1):
            self._refuse("a repetition of nothing, or with more turns at least than at most", at)
        return bounds

    def _braces(self) -> tuple[int, int | None]:
        at = self._at
        closing = self._text.find("}", at)
        low, comma, high = self._text[at + 1 : max(closing, at)].partition(",")
        numbers = [part for part in (low, high) if part]
        if closing == -1 or not numbers or not all(part.isascii() and part.isdigit() for part in numbers):
            self._refuse(r"`{` begins no repetition such as {2,5}; a brace itself is `\{`")
        if any(len(part) > len(str(MAX_REPEAT)) for part in numbers):
            self._refuse(f"a repetition has at most {MAX_REPEAT} turns")
        self._at = closing + 1
        least = int(low or "0")
        return least, (int(high) if high else None) if comma else least

    def _single(self, depth: int) -> Node:
        at = self._at
        match character := self._next():
            case "(":
                return self._group(depth)
            case "[":
                return self._class()
            case "\\":
                chars = self._escape()
                return Chars(self._either_case(chars))
            case ".":
                self._at += 1
                return Chars(_ALL - {10})
            case "^" | "$":
                self._refuse(f"no anchor `{character}`; `alone` says what may not touch a match")
            case "*" | "+" | "?" | "{":
                self._refuse("nothing to repeat", at)
        self._at += 1
        return _character(character, ignore_case=self._ignore_case)

    def _group(self, depth: int) -> Node:
        at = self._at
        self._at += 1
        is_value = self._take(VALUE[1:])
        if is_value and self._has_value:
            self._refuse("a second group `value`", at)
        self._has_value = self._has_value or is_value
        if not is_value and not self._take("?:") and self._next() == "?":
            self._refuse("of groups with `?` only (?:…) and (?P<value>…): the others are not linear", at)
        node = self._choice(depth + 1)
        if not self._take(")"):
            self._refuse("a bracket is not closed", at)
        return Value(node) if is_value else node

    def _either_case(self, chars: frozenset[int]) -> frozenset[int]:
        if not self._ignore_case:
            return chars
        return chars.union(*(_cases(chr(byte)) for byte in chars & _ASCII))

    def _escape(self) -> frozenset[int]:
        r"""Read an escape: one of the classes, or one byte. `\xNN` is a byte, also beyond ASCII."""
        at = self._at
        self._at += 2
        letter = self._text[at + 1 : at + 2]
        if letter in _CLASSES:
            return _CLASSES[letter]
        if letter in _CONTROLS:
            return frozenset((_CONTROLS[letter],))
        if letter == "x":
            digits = self._text[self._at : self._at + 2]
            if not _HEX_BYTE.fullmatch(digits):
                self._refuse(r"`\x` is followed by two hexadecimal digits", at)
            self._at += 2
            return frozenset((int(digits, 16),))
        if not letter or letter.isalnum() or not letter.isascii():
            self._refuse(f"no escape `\\{letter}`; there are \\d \\w \\s \\n \\t \\xNN, and \\ before a mark", at)
        return frozenset(letter.encode())

    def _class(self) -> Node:
        at = self._at
        self._at += 1
        negated = self._take("^")
        chars: frozenset[int] = frozenset()
        beyond: list[str] = []
        first = True
        while first or self._next() != "]":
            first = False
            if not self._next():
                self._refuse("a class is not closed", at)
            if not self._next().isascii():
                beyond.append(self._next())
                self._at += 1
                continue
            chars |= self._range()
        self._at += 1
        chars = self._either_case(chars)
        if negated and beyond:
            self._refuse("a class that excludes can name ASCII characters only", at)
        if negated:
            return Chars(_ALL - chars)
        options = tuple(_character(character, ignore_case=self._ignore_case) for character in beyond)
        return Choice((*((Chars(chars),) if chars else ()), *options)) if options else Chars(chars)

    def _range(self) -> frozenset[int]:
        at = self._at
        low = self._member()
        if self._next() != "-" or self._text[self._at + 1 : self._at + 2] in ("]", ""):
            return low
        self._at += 1
        if not self._next().isascii():
            self._refuse("a range has ASCII characters at both ends", at)
        high = self._member()
        if len(low) != 1 or len(high) != 1 or min(low) > min(high):
            self._refuse("a range goes from one character up to another", at)
        return frozenset(range(min(low), min(high) + 1))

    def _member(self) -> frozenset[int]:
        if self._next() == "\\":
            return self._escape()
        character = self._next()
        self._at += 1
        return frozenset(character.encode())
