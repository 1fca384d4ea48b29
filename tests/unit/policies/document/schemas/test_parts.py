# SPDX-License-Identifier: Apache-2.0
import jsonschema_rs
import pytest

from policies.document import forms
from policies.document.forms import Form
from policies.document.schemas.parts import text

FORMS = [form for form in vars(forms).values() if isinstance(form, Form)]
TEXTS = (
    "",
    "a",
    "a-b",
    "A B",
    "a\nb",
    "a\n",
    "*",
    "group:staff",
    "/v1/chat",
    "/v1/..",
    "/..",
    "ä",
    "https://a.test/x?y=1",
    "x" * 5000,
)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.words[:40])
def test_a_form_says_the_same_in_a_schema(form):
    schema = jsonschema_rs.Draft202012Validator(text(form, "words"))
    assert [schema.is_valid(each) for each in TEXTS] == [form.fits(each) for each in TEXTS]
