# SPDX-License-Identifier: Apache-2.0
import zlib

import pytest

from policies.detectors.secrets.forges import FORGES
from policies.detectors.secrets.form import ALNUM
from tests.unit.policies.detectors.judging import score
from tests.unit.policies.detectors.secrets.recognising import recognised

GITHUB = next(detector for detector in FORGES if detector.name == "github-token")
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def checked(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return "gh" + f"p_{body}{digits}"


def test_is_surer_of_a_token_whose_check_is_right():
    token = checked(ALNUM[:30])
    assert score(GITHUB, token) == 1.0
    assert score(GITHUB, token[:-1] + ("a" if token[-1] != "a" else "b")) == 0.9


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("_gh" + f"s_{ALNUM[:36]}_", {"github-token": ["gh" + f"s_{ALNUM[:36]}"]}, id="github-in-italics"),
        pytest.param("gh" + "p_" + "x" * 36, {}, id="github-mask"),
        pytest.param("gl" + f"pat-{ALNUM[:20]}", {"gitlab-token": ["gl" + f"pat-{ALNUM[:20]}"]}, id="gitlab"),
        pytest.param("gl" + "pat-xxxxxxxx-xxxxxxxxxxx", {}, id="gitlab-mask"),
    ],
)
def test_names_the_forge(text, want):
    assert want == recognised(text)
