# SPDX-License-Identifier: Apache-2.0
"""A text that a stream says twice: in pieces, and then whole, up to three times.

What was let go of the pieces is the redaction of the text, and is all that leaves, also where the text is said whole. A
whole that is another text than the pieces is a differential: one reader would see the one, and one the other.
"""

from typing import Any, NamedTuple

from policies.redaction.engine import ActiveRules
from policies.redaction.pseudonyms import Redactor
from proxy_addons.core.answer_walk import AnswerWalk, Path
from proxy_addons.core.field_classes import of_path
from proxy_addons.core.restoring import Shared
from proxy_addons.core.sse_calls import Allowance
from proxy_addons.core.sse_tree import NotExaminable


class Kept:
    """How many characters of the texts of one answer may still be kept. Raises NotExaminable beyond them."""

    def __init__(self, chars: int) -> None:
        self._chars = chars

    def take(self, chars: int) -> None:
        self._chars -= chars
        if self._chars < 0:
            raise NotExaminable


class Means(NamedTuple):
    """What the texts of one answer have in common: who redacts them, and how much of them is kept."""

    rules: ActiveRules
    walk: AnswerWalk
    shared: Shared
    kept: Kept
    allowance: Allowance

    @property
    def rewrite(self) -> bool:
        """Whether anything of the answer may leave otherwise than it came."""
        return self.walk.enforcing or self.shared.restoring is not None

    def text(self, path: Path) -> "SaidText":
        """Return the text at `path`, of which nothing was said yet."""
        self.allowance.take(leaves=1)
        self.walk.note_scanned(path)
        field, restoring = of_path(path), self.shared.restoring
        redactor = self.rules.stream(self.shared.tally, field=field, path=self.walk.shown(path))
        return SaidText(redactor if restoring is None else restoring.behind(redactor, field), self.kept)

    def whole(self, value: Any, path: Path) -> Any:
        """Return a value that is told whole, redacted, and with the client's own values put back last."""
        left = self.walk.value(value, path)
        restoring = self.shared.restoring
        return left if restoring is None else restoring.value(left, of_path(path))

    def drop(self, path: Path, value: Any) -> None:
        """Note that `value` is left out; where nothing is, it is looked at instead, and leaves with its event."""
        if self.rewrite:
            self.walk.note_dropped(path)
        else:
            self.walk.value(value, path)


class SaidText:
    """Redacts one text. `left` is what was let go of it; after `close` that is all there is."""

    def __init__(self, redactor: Redactor, kept: Kept) -> None:
        self._redactor = redactor
        self._kept = kept
        self._said: list[str] = []
        self._left: list[str] = []
        self._closed = False

    def feed(self, piece: str) -> str:
        """Return what may leave now that `piece` was said. Raises NotExaminable, AnswerBlocked."""
        if self._closed:
            raise NotExaminable
        self._kept.take(len(piece))
        self._said.append(piece)
        left = self._redactor.feed(piece)
        if left:
            self._left.append(left)
        return left

    def close(self, whole: str | None = None) -> str:
        """Return the rest of what was held; no piece may follow. May be called again, and returns nothing then.

        `whole` is what the upstream says that the text is, where it does. A text of which no piece was said is said
        now. Raises NotExaminable where the two are not the same text, and AnswerBlocked.
        """
        rest = ""
        if whole and not self._said and not self._closed:
            rest = self.feed(whole)
        if whole is not None and whole != self._joined(self._said):
            raise NotExaminable
        if not self._closed:
            self._closed = True
            last = self._redactor.finish()
            self._left.append(last)
            rest += last
        return rest

    @property
    def due_ns(self) -> int | None:
        return None if self._closed else self._redactor.due_ns

    def expire(self, now_ns: int) -> str:
        """Return what leaves in place of what has waited too long. Raises AnswerBlocked."""
        left = "" if self._closed else self._redactor.expire(now_ns)
        self._left.append(left)
        return left

    @property
    def left(self) -> str:
        return self._joined(self._left)

    @staticmethod
    def _joined(pieces: list[str]) -> str:
        """Return the pieces as one text, and keep them so: it is asked for again."""
        if len(pieces) > 1:
            pieces[:] = ["".join(pieces)]
        return pieces[0] if pieces else ""
