# SPDX-License-Identifier: Apache-2.0
import json

from inference.screen.question import Versions
from inference.screen.written import judgement_json, versions_json
from policies.screening.model import Judgement, Layer, Signal, Window


def test_a_judgement_as_json():
    judgement = Judgement(
        score=2 / 3,
        threshold=0.5,
        signals=(Signal(layer=Layer.RULES, name="override", version="3", score=0.25),),
        windows=(Window(start=1, end=9, view="base64", score=1 / 3),),
        complete=False,
    )
    assert json.loads(json.dumps(judgement_json(judgement))) == {
        "score": 0.666667,
        "label": "injection",
        "threshold": 0.5,
        "complete": False,
        "signals": [{"layer": "rules", "name": "override", "version": "3", "score": 0.25}],
        "windows": [{"start": 1, "end": 9, "view": "base64", "score": 0.333333}],
    }


def test_versions_as_json():
    told = versions_json(Versions(rules="3", structure="2", classifier="minilm/abc"))
    assert told == {"rules": "3", "structure": "2", "classifier": "minilm/abc"}
