# SPDX-License-Identifier: Apache-2.0
"""The question to a prompt screen as bytes, and the bytes of its answer read back (`docs/spec/prompt-screen.md`).

Rules: an answer is of exactly the texts that were asked about, each score is a number from 0 to 1, each place lies
within its text, each name has the form of one. Anything else is no answer. Nothing but what is checked here gets any
further, so that no screen can write into a record.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from policies.contracts.asked_screen import ScoredWindow, ScreenAnswer, ScreenQuestion, ScreenScore
from policies.contracts.redaction import FieldClass

MODEL: Final = "gatehouse-screen"
# As many as one question may have by the format. What is beyond is not asked about, and the answer not of all.
MOST_TEXTS: Final = 2048
_MOST_WINDOWS: Final = 64
_MOST_VERSIONS: Final = 8
_VIEW: Final = re.compile(r"[a-z0-9]+(?:[-_/][a-z0-9]+)*")
_LONGEST_VIEW: Final = 64
_LAYER: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+@/-]{0,159}")
# What stands across the seams of these is not asked for: to give orders is what they are for.
_OF_SYSTEM: Final = frozenset({FieldClass.SYSTEM, FieldClass.DEVELOPER})


class AnswerInvalid(Exception):
    """What came is no answer to the question. The text says why, in words of ours alone."""


def question_bytes(question: ScreenQuestion, *, deadline_ms: int) -> bytes:
    """Return the body of the request."""
    return orjson.dumps(
        {
            "model": MODEL,
            "input": [each.text for each in question.texts],
            "gatehouse": {
                "origins": [each.field.value for each in question.texts],
                "joined": question.joined,
                "deadline_ms": deadline_ms,
            },
        }
    )


def read_answer(raw: bytes, question: ScreenQuestion) -> ScreenAnswer:
    """Return the answer to `question` that `raw` is. Raises AnswerInvalid."""
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise AnswerInvalid("not JSON") from exc
    told = _object(_object(answer).get("gatehouse"))
    results = answer.get("results")
    if not isinstance(results, list) or len(results) != len(question.texts):
        raise AnswerInvalid("not one result for each text")
    scores = [
        _score(_object(result).get("gatehouse"), len(text.text))
        for result, text in zip(results, question.texts, strict=True)
    ]
    return ScreenAnswer(
        scores=tuple(scores),
        joined=_joined(told.get("joined"), question),
        versions=_versions(told.get("versions")),
        complete=_flag(told.get("complete")),
    )


def _joined(given: Any, question: ScreenQuestion) -> ScreenScore | None:
    if given is None:
        ordinary = sum(each.field not in _OF_SYSTEM for each in question.texts)
        if question.joined and ordinary > 1:
            raise AnswerInvalid("nothing is said of the texts together")
        return None
    return _score(given, sum(len(each.text) for each in question.texts))


def _score(given: Any, length: int) -> ScreenScore:
    told = _object(given)
    windows = told.get("windows")
    if not isinstance(windows, list) or len(windows) > _MOST_WINDOWS:
        raise AnswerInvalid("no list of windows")
    return ScreenScore(
        score=_share(told.get("score")),
        complete=_flag(told.get("complete")),
        windows=tuple([_window(_object(each), length) for each in windows]),
    )


def _window(told: Mapping[str, Any], length: int) -> ScoredWindow:
    start, end, view = told.get("start"), told.get("end"), told.get("view")
    if type(start) is not int or type(end) is not int or not 0 <= start <= end <= length:
        raise AnswerInvalid("a window that is not within its text")
    if not isinstance(view, str) or len(view) > _LONGEST_VIEW or not _VIEW.fullmatch(view):
        raise AnswerInvalid("a view without a name")
    return ScoredWindow(start, end, view, _share(told.get("score")))


def _versions(given: Any) -> dict[str, str]:
    told = _object(given)
    if len(told) > _MOST_VERSIONS or not all(
        _LAYER.fullmatch(layer) and isinstance(version, str) and _VERSION.fullmatch(version)
        for layer, version in told.items()
    ):
        raise AnswerInvalid("versions that are none")
    return dict(told)


def _share(given: Any) -> float:
    # Neither NaN nor infinity is JSON. A boolean is an int to Python.
    if type(given) not in {int, float} or not 0 <= given <= 1:
        raise AnswerInvalid("a score that is none")
    return float(given)


def _flag(given: Any) -> bool:
    if not isinstance(given, bool):
        raise AnswerInvalid("whether it is complete is not said")
    return given


def _object(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise AnswerInvalid("not the members of an answer")
    return given
