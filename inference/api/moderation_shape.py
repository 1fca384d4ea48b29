# SPDX-License-Identifier: Apache-2.0
"""The screen's answer in OpenAI's shape."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from inference.api.moderation_request import SCREEN_MODEL
from inference.screen.question import Judged
from inference.screen.written import judgement_json, versions_json
from policies.screening.model import Judgement, Label

# OpenAI's document requires each in every answer. None is what the screen looks for.
NOT_EXAMINED: Final = (
    "hate",
    "hate/threatening",
    "harassment",
    "harassment/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


def moderation_json(
    judged: Judged, results: Sequence[Judgement], joined: Judgement | None, *, id_: str
) -> Mapping[str, Any]:
    return {
        "id": id_,
        "model": SCREEN_MODEL,
        "results": [_result(each) for each in results],
        "gatehouse": {
            "versions": versions_json(judged.versions),
            "joined": judgement_json(joined) if joined else None,
            "complete": judged.complete,
            "not_examined": NOT_EXAMINED,
        },
    }


def is_flagged(judgement: Judgement) -> bool:
    """Whoever reads nothing but this must not take for harmless what was not examined."""
    return judgement.label is Label.INJECTION or not judgement.complete


def _result(judgement: Judgement) -> Mapping[str, Any]:
    return {
        "flagged": is_flagged(judgement),
        "categories": dict.fromkeys(NOT_EXAMINED, False),
        "category_scores": dict.fromkeys(NOT_EXAMINED, 0.0),
        "category_applied_input_types": dict.fromkeys(NOT_EXAMINED, ()),
        "gatehouse": judgement_json(judgement),
    }
