# SPDX-License-Identifier: Apache-2.0
"""Rules that find what a test says in the field classes that it says, with or without pseudonyms."""

from collections.abc import Iterator, Mapping

from policies.contracts.snapshot import EmbeddingInputs, FieldClass
from policies.redaction.findings import AnswerBlocked, AppliedRule, Tally
from policies.redaction.terms import Terms, united


class RulesOf:
    """Stands for ActiveRules: in texts of a class in `found`, its word is replaced, or blocked. `paths` are those seen.

    `reversible`: by a pseudonym of the kind `email`, where the tally has any to give.
    """

    idle = False
    enforcing = True

    def __init__(
        self,
        found: Mapping[FieldClass, str],
        *,
        action: str = "replace",
        reversible: bool = False,
        embeddings: EmbeddingInputs = EmbeddingInputs.BLOCK,
    ) -> None:
        self._found = found
        self._action = action
        self._reversible = reversible
        self.paths: list[tuple[FieldClass, str]] = []
        default = united(())
        self.terms = Terms(
            hold=default.hold,
            decoding=default.decoding,
            embeddings=embeddings,
            log_probabilities=default.log_probabilities,
        )

    def looking(self, field: FieldClass) -> tuple[str, ...]:
        return ("policy/rule",) if field in self._found else ()

    def clean_among(self, words: frozenset[str]) -> frozenset[str]:
        return frozenset(word for word in words if word not in self._found.values())

    def whole(self, text: str, tally: Tally, *, field: FieldClass, path: str) -> str:
        self.paths.append((field, path))
        word = self._found.get(field)
        if word is None or word not in text:
            return text
        applied = AppliedRule(detector="email", policy="policy", rule="rule", action=self._action)
        tally.add(applied)
        tally.remark(applied, kind="EMAIL_ADDRESS", path=path, span=word)
        if self._action == "block":
            raise AnswerBlocked(policy="policy", rule="rule", detector="email")
        shown = None
        if self._reversible and tally.pseudonyms is not None:
            shown = tally.pseudonyms.of("email", word)
        return text.replace(word, shown or "[redacted:email]")

    def stream(self, tally: Tally, *, field: FieldClass, path: str) -> "_Whole":
        return _Whole(self, tally, field, path)


class _Whole:
    """Holds all of a text until its end."""

    def __init__(self, rules: RulesOf, tally: Tally, field: FieldClass, path: str) -> None:
        self._rules, self._tally, self._field, self._path = rules, tally, field, path
        self._held = ""

    def feed(self, text: str) -> str:
        self._held += text
        return ""

    def feed_run(self, texts: list[str]) -> Iterator[str]:
        return iter([self.feed("".join(texts))])

    def finish(self) -> str:
        return self._rules.whole(self._held, self._tally, field=self._field, path=self._path)
