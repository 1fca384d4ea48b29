# SPDX-License-Identifier: Apache-2.0
"""One item of a responses stream: its texts as they are said, and the item as it leaves when it is whole.

Theory: an item is told in pieces, then whole when it is done, and once more in the answer's end. It is written once,
from what was let go of its texts, and told again as it was written. A later telling of another kind or with other texts
is a differential and ends the stream; in everything else the first one stays.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from proxy_addons.core.answer_walk import ARGUMENTS
from proxy_addons.core.responses_items import CALL, LISTS, check_part, kind_of, parts_of, path_of, text_in
from proxy_addons.core.responses_text import Means, SaidText
from proxy_addons.core.sse_tree import NotExaminable
from proxy_addons.core.streaming import first
from proxy_addons.core.strict_json import canonical

# The members of an item that leave beside its texts, as far as it has them. Not `encrypted_content`: nobody reads it.
_MEMBERS: Final = ("id", "type", "role", "status", "phase", "call_id", "name")


class Place(NamedTuple):
    """Where a text stands in its item: in which list, at which place, in a part of which kind."""

    within: str
    number: int
    shape: str


class SpokenItem:
    """The item at one place of the answer. `begun` is what is told of it first, `written` what it was when done."""

    def __init__(self, item: dict[str, Any], means: Means) -> None:
        self.kind = kind_of(item)
        self.sent_id = item.get("id")
        self._means = means
        self._texts: dict[Place, SaidText] = {}
        self._annotations: dict[bytes, Any] = {}
        self._arguments: list[str] = []
        self.written: dict[str, Any] | None = None
        self.begun: dict[str, Any] = {**means.whole(_beside_texts(item), ("output", "*")), **self._empty(item)}
        self.id = self.begun.get("id")

    def text(self, place: Place) -> SaidText:
        """Return the text at `place`. Raises NotExaminable where items of this kind have none such."""
        text = self._texts.get(place)
        if text is None:
            if self.written is not None or place.shape not in LISTS[self.kind].get(place.within, ()):
                raise NotExaminable
            path = path_of(self.kind, place.within, text_in(place.shape))
            text = self._texts[place] = self._means.text(path)
        return text

    def rests(self) -> Iterator[tuple[Place, str]]:
        """Give what was held of the texts, and let nothing follow. Raises AnswerBlocked."""
        for place, text in self._texts.items():
            yield place, text.close()

    @property
    def due_ns(self) -> int | None:
        return first(text.due_ns for text in self._texts.values())

    def expire(self, now_ns: int) -> Iterator[tuple[Place, str]]:
        """Give what leaves in place of text that has waited too long. Raises AnswerBlocked."""
        for place, text in self._texts.items():
            yield place, text.expire(now_ns)

    def add_arguments(self, piece: str) -> None:
        """Hold a piece of a call's arguments: they are JSON, and only whole can be redacted as such."""
        if self.kind != CALL or self.written is not None:
            raise NotExaminable
        if piece:
            self._means.allowance.take(chars=len(piece), leaves=0 if self._arguments else 1)
            self._arguments.append(piece)

    def check_arguments(self, whole: Any) -> None:
        """Take the arguments as the upstream says them whole. Raises NotExaminable where the pieces said others."""
        if not isinstance(whole, str) or self.kind != CALL:
            raise NotExaminable
        if not self._arguments and self.written is None:
            self.add_arguments(whole)
        if "".join(self._arguments) != whole:
            raise NotExaminable

    def annotation(self, annotation: Any) -> Any:
        """Return an annotation redacted. It is told up to four times, and looked at once."""
        if not isinstance(annotation, dict):
            raise NotExaminable
        raw = canonical(annotation)
        if raw not in self._annotations:
            self._means.allowance.take(leaves=1, chars=len(raw))
            self._annotations[raw] = self._means.whole(annotation, path_of(self.kind, "content", "annotations"))
        return self._annotations[raw]

    def part(self, part: dict[str, Any], within: str, index: int) -> tuple[str, dict[str, Any]]:
        """Return of a part that is whole what was still held of its text, and the part as it leaves."""
        check_part(part, self.kind, within)
        shape = part["type"]
        member = text_in(shape)
        text = self.text(Place(within, index, shape))
        rest = text.close(part[member])
        written: dict[str, Any] = {"type": shape, member: text.left}
        if shape == "output_text":
            annotations = part.get("annotations") or []
            if not isinstance(annotations, list):
                raise NotExaminable
            written["annotations"] = [self.annotation(each) for each in annotations]
            written["logprobs"] = []
            if part.get("logprobs"):
                self._means.drop(path_of(self.kind, "content", "logprobs"), part["logprobs"])
        return rest, written

    def finish(self, item: dict[str, Any]) -> list[tuple[Place, str]]:
        """Take the item as the upstream says it whole, and return what was still held of its texts.

        Raises NotExaminable where it is another one than was said, and AnswerBlocked.
        """
        self._check_kind(item)
        rests: list[tuple[Place, str]] = []
        whole = _beside_texts(item)
        if self.kind == CALL:
            self.check_arguments(item.get(ARGUMENTS))
            whole[ARGUMENTS] = item[ARGUMENTS]
        if item.get("encrypted_content") is not None:
            self._means.drop(("output", "*", "encrypted_content"), item["encrypted_content"])
        written: dict[str, Any] = {**self._empty(item), **self._means.whole(whole, ("output", "*"))}
        for within, index, part in parts_of(item, self.kind):
            rest, shown = self.part(part, within, index)
            rests.append((Place(within, index, part["type"]), rest))
            written[within].append(shown)
        rests += self.rests()
        if self.id is not None:
            written["id"] = self.id
        self.written = written
        return rests

    def check_again(self, item: dict[str, Any]) -> None:
        """Raise NotExaminable unless `item` says what was said of this one when it was done."""
        self._check_kind(item)
        if self.kind == CALL:
            self.check_arguments(item.get(ARGUMENTS))
        for within, index, part in parts_of(item, self.kind):
            self.text(Place(within, index, part["type"])).close(part[text_in(part["type"])])

    def _empty(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return the members of `item` in which its texts stand, without any."""
        return {ARGUMENTS: ""} if self.kind == CALL else {name: [] for name in LISTS[self.kind] if name in item}

    def _check_kind(self, item: Any) -> None:
        if kind_of(item) != self.kind:
            raise NotExaminable


def _beside_texts(item: dict[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in _MEMBERS if name in item}
