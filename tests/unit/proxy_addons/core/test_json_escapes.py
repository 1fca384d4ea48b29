# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.core.json_escapes import resolved


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("plain", "plain"),
        ("\\u0034\\u00E9", "4é"),
        ('\\n\\t\\/\\"\\\\', '\n\t/"\\'),
        ("\\\\u0034", "\\u0034"),
        ("\\ud83d\\ude00", "\ufffd\ufffd"),
        ("\\x34 \\u12", "\\x34 \\u12"),
    ],
)
def test_escapes_become_their_characters(text, want):
    assert want == resolved(text)
