# SPDX-License-Identifier: Apache-2.0
r"""Reversible pseudonyms: what stands in a prompt in place of a value, and the value in place of it in the answer.

Theory: a model can work with the name of a value as well as with the value, if the name looks like one of a kind and is
easy to say again. `[EMAIL-2]` is: the square brackets say where it begins and ends; capitals, digits and hyphens are
what no JSON, Markdown, HTML or shell has to escape, so that a model that writes one of those still copies it letter by
letter (an underscore becomes `\_` in Markdown, a colon invites a blank behind it); the kind lets the model write a
sentence around it, and the number tells two values of a kind apart.

Rules:

1. A pseudonym names one value of one exchange. The mapping lives in the memory of that exchange, is bounded, and has
   no representation that a log could show.
2. Nothing that stands in the request already becomes a pseudonym: its number is passed over. So what the client wrote
   itself comes back as the client wrote it.
3. Only a request gives pseudonyms. An answer's own values would be put back as well, and so not be redacted.
4. Restoring comes last, behind the redaction of the answer, whose promise is about the text before it: the values are
   the client's own. What looks like a pseudonym and is none stays as it is.
5. Only what could still become a pseudonym of this exchange is held back: the beginning of one, at the end of a text.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

# Beyond either, a value is replaced for good: the bound is on what a request can make us remember, and a thousand
# different values are no conversation that anybody will read.
MAX_PSEUDONYMS: Final = 1024
MAX_VALUE_CHARS: Final = 8192
# What the restored values of one answer may add up to. A model that repeats a pseudonym of 9 characters for a key of
# thousands would otherwise make an answer hundreds of times as large as what was bounded.
MAX_RESTORED_CHARS: Final = 1_048_576

_MAX_KIND_CHARS: Final = 48
_LIKE_ONE: Final = re.compile(r"\[[A-Z][A-Z0-9-]{0,63}-[0-9]{1,9}\]")
_NOT_OF_A_KIND: Final = re.compile(r"[^A-Z0-9]+")
_BEGINS: Final = "["
_ENDS: Final = "]"


class Pseudonyms:
    """The values of one exchange that have a pseudonym. Empty until a request gives it some.

    `besides` gives the texts of the request: what is like a pseudonym in them is given to no value. It is asked once
    there is one to give.
    """

    __slots__ = ("_besides", "_by_value", "_closed", "_last", "_restored_chars", "_taken", "_values")

    def __init__(self, besides: Callable[[], Iterable[str]] = tuple) -> None:
        self._besides: Callable[[], Iterable[str]] | None = besides
        self._closed = False
        self._values: dict[str, str] = {}  # by pseudonym
        self._restored_chars = 0
        self._by_value: dict[tuple[str, str], str] = {}
        self._last: dict[str, int] = {}
        self._taken: set[str] = set()

    def __repr__(self) -> str:
        return f"<{len(self)} pseudonyms>"

    def __len__(self) -> int:
        return len(self._values)

    def close(self) -> None:
        """Give none from now on: the request is done. What an answer says of its own would come back as it was."""
        self._closed = True
        self._besides = None

    def forget(self) -> None:
        """Forget every value: the exchange is over. What is still asked for stays a pseudonym."""
        self.close()
        self._values.clear()
        self._by_value.clear()
        self._taken.clear()

    def of(self, kind: str, value: str) -> str | None:
        """Return the pseudonym of `value`, the same each time, or None where it can have none."""
        if self._closed:
            return None
        kind = _kind(kind)
        known = self._by_value.get((kind, value))
        if known is not None:
            return known
        if len(self._values) >= MAX_PSEUDONYMS or len(value) > MAX_VALUE_CHARS:
            return None
        if self._besides is not None:
            self._taken.update(like_one for text in self._besides() for like_one in _LIKE_ONE.findall(text))
            self._besides = None
        number = self._last.get(kind, 0) + 1
        while (pseudonym := f"[{kind}-{number}]") in self._taken:
            number += 1
        self._last[kind] = number
        self._by_value[kind, value] = pseudonym
        self._values[pseudonym] = value
        return pseudonym

    def may_begin(self, text: str) -> bool:
        """Whether a pseudonym of this exchange begins with `text` and is longer."""
        return _ENDS not in text and any(pseudonym.startswith(text) for pseudonym in self._values)

    def restored(self, pseudonym: str, escape: Callable[[str], str]) -> str:
        """Return the value of `pseudonym` as `escape` writes it, or `pseudonym` where it is none or too much came."""
        value = self._values.get(pseudonym)
        if value is None:
            return pseudonym
        written = escape(value)
        if self._restored_chars + len(written) > MAX_RESTORED_CHARS:
            return pseudonym
        self._restored_chars += len(written)
        return written


def _kind(name: str) -> str:
    """Return `name` as a pseudonym says it: capitals, digits and hyphens, the first of them a capital."""
    plain = _NOT_OF_A_KIND.sub("-", name.upper()).lstrip("-0123456789")[:_MAX_KIND_CHARS].strip("-")
    return plain or "VALUE"


class Redactor(Protocol):
    """What redacts a text that arrives in pieces (`stream.py`)."""

    def feed(self, text: str, /) -> str: ...

    def feed_run(self, texts: list[str], /) -> Iterator[str]: ...

    def finish(self) -> str: ...

    @property
    def due_ns(self) -> int | None: ...

    def expire(self, now_ns: int, /) -> str: ...


def verbatim(value: str) -> str:
    return value


def within_json(value: str) -> str:
    """Return `value` as it stands between the quotes of a JSON string."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


class Restorer:
    """Puts the values back into one text that arrives in pieces. `escape` says how a value is written there."""

    __slots__ = ("_escape", "_held", "_pseudonyms")

    def __init__(self, pseudonyms: Pseudonyms, *, escape: Callable[[str], str] = verbatim) -> None:
        self._pseudonyms = pseudonyms
        self._escape = escape
        self._held = ""

    def feed(self, text: str) -> str:
        """Return what is decided now that `text` has arrived."""
        text = self._held + text
        # No pseudonym has a bracket but its first and its last character: only the last one of the text can be open.
        begins = text.rfind(_BEGINS)
        if begins != -1 and self._pseudonyms.may_begin(text[begins:]):
            self._held = text[begins:]
            return self.whole(text[:begins])
        self._held = ""
        return self.whole(text)

    def finish(self) -> str:
        """Return what was held: the beginning of a pseudonym that did not come."""
        held, self._held = self._held, ""
        return held

    def whole(self, text: str) -> str:
        """Return the restoration of a text that is all there, for a restorer that holds nothing."""
        return _LIKE_ONE.sub(self._value, text) if _BEGINS in text else text

    def _value(self, found: re.Match[str]) -> str:
        return self._pseudonyms.restored(found[0], self._escape)


class Restored:
    """A redactor with a restorer behind it: to be used like the redactor alone."""

    __slots__ = ("_redactor", "_restorer")

    def __init__(self, redactor: Redactor, restorer: Restorer) -> None:
        self._redactor = redactor
        self._restorer = restorer

    def feed(self, text: str) -> str:
        return self._restorer.feed(self._redactor.feed(text))

    def feed_run(self, texts: list[str]) -> Iterator[str]:
        for piece in self._redactor.feed_run(texts):
            yield self._restorer.feed(piece)

    def finish(self) -> str:
        return self._restorer.feed(self._redactor.finish()) + self._restorer.finish()

    @property
    def due_ns(self) -> int | None:
        return self._redactor.due_ns

    def expire(self, now_ns: int) -> str:
        return self._restorer.feed(self._redactor.expire(now_ns))
