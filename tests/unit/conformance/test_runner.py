# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest

from conformance import runner
from conformance.answers import AnswerReader
from conformance.case import Ask, Case, Target, refused, row
from conformance.wire import Heard


def test_what_a_row_sends_is_made_before_its_time_runs(monkeypatch: pytest.MonkeyPatch):
    happened = []

    def shape(body: bytes) -> bytes:
        happened.append("made")
        return body

    def converse(_line: object, pieces: Any, **_terms: object) -> Heard:
        happened.append("time runs")
        assert b"".join(pieces).startswith(b"POST ")
        return Heard(reader=AnswerReader(), closed=True, elapsed_s=0.0)

    monkeypatch.setattr(runner, "converse", converse)
    target = Target(host="127.0.0.1", port=1, tls=False, key=None, model="parrot")
    trial = runner.Trial(target=target, timeout_s=1.0, recorder=None, context=None)
    case = Case(number=8, title="packed", rows=(row("slow to pack", refused(400, "body-not-json"), Ask(shape=shape)),))
    list(runner.run(trial, [case]))
    assert happened[:2] == ["made", "time runs"]
