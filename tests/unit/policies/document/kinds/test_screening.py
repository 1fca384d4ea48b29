# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.errors import PolicyRejected
from policies.contracts.screening import ScreenEffect
from policies.document.loader import load_documents

GOOD = """\
kind: screening
id: screen
version: "1"
spec:
  rules:
    - {id: override, effect: deny, phrases: [ignore that], reason: prompt-injection, fields: [user]}
    - {id: persona, effect: flag, expressions: ["you are (now|really)"]}
"""


def problems(source):
    with pytest.raises(PolicyRejected) as caught:
        load_documents({"a.yaml": source.encode()})
    return [(each.code, each.at.line) for each in caught.value.diagnostics]


def test_what_is_left_out_has_its_default():
    [document] = load_documents({"a.yaml": GOOD.encode()})
    first, second = document.spec.rules
    assert (first.effect, first.reason) == (ScreenEffect.DENY, "prompt-injection")
    assert (second.reason, second.phrases, second.fields) == ("prompt-screened", (), ())


@pytest.mark.parametrize(
    ("source", "want"),
    [
        pytest.param(GOOD.replace("phrases: [ignore that], ", ""), ("screens-nothing", 6), id="nothing-looked-for"),
        pytest.param(GOOD.replace("effect: flag", "effect: flag, reason: no"), ("ambiguous-scalar", 7), id="a-bare-no"),
        pytest.param(
            GOOD.replace("effect: flag", "effect: flag, reason: found"),
            ("option-without-effect", 7),
            id="a-flag-with-reason",
        ),
        pytest.param(GOOD.replace("[ignore that]", "[no]"), ("ambiguous-scalar", 6), id="a-phrase-without-quotes"),
        pytest.param(GOOD.replace("[ignore that]", "[ab]"), ("bad-phrase", 6), id="a-short-phrase"),
        pytest.param(GOOD.replace("[ignore that]", "[]"), ("too-few", 6), id="no-phrase"),
        pytest.param(GOOD.replace("id: persona", "id: override"), ("duplicate-id", 7), id="two-of-one-id"),
        pytest.param(GOOD.replace("effect: deny", "effect: block"), ("unknown-value", 6), id="an-unknown-effect"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(source, want):
    assert problems(source) == [want]
