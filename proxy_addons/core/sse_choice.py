# SPDX-License-Identifier: Apache-2.0
"""The texts of one choice of a streamed answer, each with a redactor of its own, keyed by field."""

from collections.abc import Iterator
from typing import Any, Final

from policies.redaction.engine import ActiveRules
from policies.redaction.pseudonyms import Redactor
from proxy_addons.core.answer_walk import RESPELLING, AnswerWalk
from proxy_addons.core.field_classes import of_path
from proxy_addons.core.restoring import Shared
from proxy_addons.core.sse_calls import Allowance, HeldCalls
from proxy_addons.core.sse_tree import NotExaminable, Path, index_of, nested
from proxy_addons.core.streaming import first
from proxy_addons.core.tool_decisions import CALLS

# Roles and kinds of parts are wanted at once, and a text could be spelt with them. No detector finds anything in these,
# however often they are repeated; where a rule may change the answer, any other is dropped.
WORD_FIELDS: Final = frozenset({"role", "type"})
# The members of a delta that models say what they say in. Any other text is one as well; these come by the thousand.
TEXT_FIELDS: Final = frozenset({"content", "reasoning_content", "reasoning", "refusal"})
_WORDS: Final = frozenset(
    {
        *("assistant", "model", "user", "system", "developer", "tool", "function"),
        *("text", "output_text", "refusal", "thinking", "reasoning", "image_url", "url_citation"),
        *("reasoning.text", "reasoning.summary", "reasoning.encrypted"),
    },
)

# All that a piece held was held back, so that nothing of it is to be sent.
NOTHING: Final = object()


class ChoiceText:
    """Redacts what one choice says, piece by piece. `path` is where its pieces stand: the delta, or the legacy text.

    `judged`: policy decides on its tool calls, which leave by `calls` and not by `finish`.
    """

    def __init__(
        self,
        *,
        path: str,
        rules: ActiveRules,
        shared: Shared,
        walk: AnswerWalk,
        allowance: Allowance,
        judged: bool = False,
    ) -> None:
        self.finish_reason: str | None = None
        self.spoke = False
        self._judged = judged
        self._path = path
        self._rules = rules
        self._tally, self._restoring = shared
        # Calls are held where they may change: as JSON they can be redacted, and restored, only whole.
        self._holds_calls = judged or walk.enforcing or shared.restoring is not None
        self._walk = walk
        self._allowance = allowance
        self._redactors: dict[Path, Redactor] = {}
        self._calls = HeldCalls(allowance)

    def feed(self, piece: Any) -> Any:
        """Return what may leave of `piece`, or NOTHING. Raises NotExaminable, AnswerBlocked."""
        return self._feed(piece, ())

    def feed_run(self, texts: list[str], path: Path) -> Iterator[str]:
        """Give what may leave of pieces of the text at `path`, none of which is empty. Raises as `feed` does."""
        redactor = self._redactor(path)
        return redactor.feed_run(texts) if len(texts) > 1 else iter((redactor.feed(texts[0]),))

    def finish(self) -> list[Any]:
        """Return what was held, in pieces. No text may follow."""
        self.spoke = self.spoke or ("content",) in self._redactors
        rests = [(path, redactor.finish()) for path, redactor in self._redactors.items()]
        self._redactors.clear()
        pieces = [nested(path, rest) for path, rest in rests if rest]
        if not self._judged and (calls := self.calls()) is not None and self._holds_calls:
            pieces.append(calls)
        return pieces

    @property
    def due_ns(self) -> int | None:
        return first(redactor.due_ns for redactor in self._redactors.values())

    def expire(self, now_ns: int) -> Iterator[Any]:
        """Give the pieces that leave in place of text that has waited too long. Raises AnswerBlocked."""
        for path, redactor in self._redactors.items():
            if left := redactor.expire(now_ns):
                yield nested(path, left)

    def calls(self) -> dict[str, Any] | None:
        """Return the tool calls that were held, as they would leave, and hold them no more; None for none."""
        if not self._calls:
            return None
        calls: dict[str, Any] = self._walk.value(self._calls.taken(), ("choices", "*", self._path))
        return calls if self._restoring is None else self._restoring.value(calls)

    def _feed(self, value: Any, path: Path) -> Any:
        match value:
            case str():
                return self._feed_text(value, path)
            case dict():
                return self._feed_members(value, path)
            case list():
                return self._feed_items(value, path)
            case _:
                return self._walk.value(value, ("choices", "*", self._path))

    def _feed_text(self, text: str, path: Path) -> Any:
        if not text or (path and path[-1] in WORD_FIELDS):
            return self._word(text)
        return self._redactor(path).feed(text) or NOTHING

    def _redactor(self, path: Path) -> Redactor:
        if self.finish_reason is not None and self._holds_calls:
            # What was held has left: what comes now would continue it unexamined.
            raise NotExaminable
        redactor = self._redactors.get(path)
        if redactor is None:
            self._allowance.take(leaves=1)
            redactor = self._redactors[path] = self._new_redactor(path)
        return redactor

    def _new_redactor(self, path: Path) -> Redactor:
        within = ("choices", "*", self._path, *("*" if isinstance(part, int) else part for part in path))
        field = of_path(within)
        self._walk.note_scanned(within)
        redactor = self._rules.stream(self._tally, field=field, path=self._walk.shown(within))
        return redactor if self._restoring is None else self._restoring.behind(redactor, field)

    def _word(self, word: str) -> Any:
        return word if not word or word in _WORDS or not self._walk.enforcing else NOTHING

    def _feed_members(self, members: dict[str, Any], path: Path) -> Any:
        released = {}
        for key, value in members.items():
            if not path and key in CALLS and value is not None:
                left = self._feed_calls(key, value)
            elif self._walk.enforcing and (key in RESPELLING or (self._judged and key in CALLS and value is not None)):
                self._walk.note_dropped(("choices", "*", self._path, key))
                left = NOTHING
            else:
                # Keyed by the name as it leaves, because that is what a client puts together.
                name = self._walk.name(key)
                left = self._feed(value, (*path, name))
                key = name  # noqa: PLW2901  # as above
            if left is not NOTHING:
                released[key] = left
        return released if released or not members else NOTHING

    def _feed_calls(self, member: str, value: Any) -> Any:
        """Hold the piece; where no rule may change it, it leaves as well and is only looked at in the end."""
        if self.finish_reason is not None and self._holds_calls:
            raise NotExaminable
        self._calls.add(member, value)
        return NOTHING if self._holds_calls else value

    def _feed_items(self, items: list[Any], path: Path) -> Any:
        released = []
        for place, item in enumerate(items):
            left = self._feed(item, (*path, index_of(item, place)))
            if left is not NOTHING and not (isinstance(left, dict) and left.keys() == {"index"} != item.keys()):
                released.append(left)
        return released if released or not items else NOTHING


def choice_index(choice: Any) -> int:
    """Return the number of a choice of an event. Raises NotExaminable where it has none."""
    if not isinstance(choice, dict) or "index" not in choice:
        raise NotExaminable
    return index_of(choice, 0)


def finish_reason_of(choice: dict[str, Any], before: str | None) -> str | None:
    """Return the choice's reason, None where it goes on. It may be said again, but not be another one then."""
    reason = choice.get("finish_reason")
    if reason is None or reason == "":  # some upstreams say "" until the end
        return None
    if not isinstance(reason, str) or before not in (None, reason):
        raise NotExaminable
    return reason
