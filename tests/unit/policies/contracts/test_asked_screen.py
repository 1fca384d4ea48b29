# SPDX-License-Identifier: Apache-2.0
from policies.contracts.asked_screen import ScreenText
from policies.contracts.redaction import FieldClass
from policies.screening.model import Origin


def test_a_class_of_fields_is_an_origin_of_the_screen():
    assert {str(each) for each in FieldClass} == {str(each) for each in Origin}


def test_the_same_text_at_the_same_place_is_one():
    assert len({ScreenText("a", FieldClass.USER), ScreenText("a", FieldClass.USER)}) == 1
