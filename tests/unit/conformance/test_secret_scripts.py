# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from conformance.answers import AnswerReader
from conformance.scripts import SCRIPTS
from conformance.secret_scripts import ALL_SCRIPTS, CARD, SECRET_SCRIPTS
from conformance.told import arguments_of, texts_of

SECRETS = {name: script for of_case in SECRET_SCRIPTS.values() for name, script in of_case.items()}


def body_of(name: str) -> bytes:
    reader = AnswerReader()
    reader.feed(b"".join(ALL_SCRIPTS[name]("a-mark")))
    (answer,) = reader.answers
    assert (answer.status, answer.complete) == (200, True)
    return answer.body


def test_no_script_stands_in_for_another():
    assert len(ALL_SCRIPTS) == len(SCRIPTS) + sum(map(len, SECRET_SCRIPTS.values()))


@pytest.mark.parametrize("name", SECRETS)
def test_each_is_one_well_formed_answer_that_tells_its_mark(name):
    assert any("a-mark" in text for text in texts_of(body_of(name)))


def test_a_card_is_cut_everywhere():
    events = [body_of(f"cut at {at}") for at in range(1, len(CARD))]
    assert len(set(events)) == len(CARD) - 1


def test_arguments_in_pieces_are_json_when_put_together():
    (escaped,) = arguments_of(body_of("arguments, cut within escapes"))
    assert (json.loads(escaped), CARD in escaped) == ({"q": CARD}, False)
