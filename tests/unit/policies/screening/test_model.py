# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest

from policies.contracts.redaction import FieldClass
from policies.screening.model import Judgement, Label, Layer, Origin, Signal, Window


def test_origins_are_the_field_classes_of_policies():
    assert [each.value for each in Origin] == [each.value for each in FieldClass]


def test_who_gives_orders_is_not_given_to_read():
    assert [each for each in Origin if each.orders and each.is_given] == []
    assert Origin.SYSTEM.orders
    assert Origin.TOOL_RESULT.is_given
    assert not Origin.USER.orders
    assert not Origin.USER.is_given


@pytest.mark.parametrize(
    ("score", "want"),
    [
        pytest.param(0.49, Label.BENIGN, id="below-the-threshold"),
        pytest.param(0.5, Label.INJECTION, id="at-the-threshold"),
        pytest.param(1.0, Label.INJECTION, id="certain"),
    ],
)
def test_label_is_what_the_threshold_says(score, want):
    assert want is Judgement(score=score, threshold=0.5).label


def test_label_is_not_given_but_found():
    with pytest.raises(TypeError):
        Judgement(score=0.9, threshold=0.5, label=Label.BENIGN)


@pytest.mark.parametrize("score", [-0.01, 1.01, float("nan"), float("inf")])
def test_what_is_no_score_is_refused(score):
    with pytest.raises(ValueError, match="0 to 1"):
        Signal(layer=Layer.RULES, name="override", version="1", score=score)
    with pytest.raises(ValueError, match="is none"):
        Window(start=0, end=1, view="raw", score=score)
    with pytest.raises(ValueError, match="0 to 1"):
        Judgement(score=score, threshold=0.5)
    with pytest.raises(ValueError, match="0 to 1"):
        Judgement(score=0.5, threshold=score)


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (4, 3)])
def test_what_is_no_place_is_refused(start, end):
    with pytest.raises(ValueError, match="is none"):
        Window(start=start, end=end, view="raw", score=0.5)


def test_nothing_holds_text():
    kinds = {field.type for each in (Signal, Window, Judgement) for field in dataclasses.fields(each)}
    assert kinds == {
        Layer, str, float, int, bool, Label, tuple[Signal, ...], tuple[Window, ...],
    }  # fmt: skip
    assert [field.name for field in dataclasses.fields(Window) if field.type is str] == ["view"]
    assert [field.name for field in dataclasses.fields(Signal) if field.type is str] == ["name", "version"]
