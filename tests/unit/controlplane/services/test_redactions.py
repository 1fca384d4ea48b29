# SPDX-License-Identifier: Apache-2.0
"""The use case by itself: whose policies are tried, and what is built anew."""

from dataclasses import replace
from unittest.mock import patch

import pytest

from controlplane.services import redactions
from controlplane.services.errors import Invalid, NotFound
from controlplane.services.redactions import PoliciesToTest, TextToTest
from policies.contracts.snapshot import FieldClass
from policies.redaction.engine import Redaction
from policies.redaction.examination import Asked
from tests.control_planes import TOKENS, make_plane, sqlite_url
from tests.streams import EMAIL

POLICY = """\
kind: redaction
id: addresses
version: "1"
spec:
  rules:
    - {id: found, detectors: [email], action: replace}
"""


@pytest.fixture
def plane(tmp_path):
    under_test = make_plane(sqlite_url(tmp_path))
    made = under_test.call("POST", "/v1/policies", "author", json={"source": POLICY})
    assert made.status_code == 201
    return under_test.plane


def author(plane):
    return plane.access.authenticate(f"Bearer {TOKENS['author']}")


def tried(plane, actor, policies, *texts):
    asked = [TextToTest(pointer=f"/{place}", field=FieldClass.USER, text=text) for place, text in enumerate(texts)]
    return plane.redactions.test(actor, asked, policies, Asked())


WORKING_SET = PoliciesToTest(ids=["addresses"], documents={})


def test_every_text_is_answered_by_its_pointer(plane):
    tested = tried(plane, author(plane), WORKING_SET, EMAIL, "nothing")
    assert {pointer: examined.text for pointer, examined in tested.texts.items()} == {
        "/0": "[redacted:email]",
        "/1": "nothing",
    }
    assert tested.blocked is None


def test_another_tenant_has_other_policies(plane):
    stranger = replace(author(plane), tenant="other")
    with pytest.raises(Invalid, match="policy-unknown"):
        tried(plane, stranger, WORKING_SET, EMAIL)
    with pytest.raises(NotFound, match="environment-unknown"):
        tried(plane, stranger, PoliciesToTest(documents={}), EMAIL)


def test_what_was_tried_is_not_compiled_again(plane):
    redactions._redaction.cache_clear()
    with patch.object(Redaction, "of", wraps=Redaction.of) as compiled:
        for text in (EMAIL, "nothing", EMAIL):
            tried(plane, author(plane), WORKING_SET, text)
        changed = {"a.yaml": POLICY.replace("replace", "block").encode()}
        tried(plane, author(plane), PoliciesToTest(documents=changed), "nothing")
    assert compiled.call_count == 2
