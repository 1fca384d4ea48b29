# SPDX-License-Identifier: Apache-2.0
import re
import subprocess
import sys

import pytest

from policies.detectors.clues import Clues
from policies.detectors.email import EmailAddress
from policies.detectors.payment_card import PaymentCard

BOTH = (PaymentCard(), EmailAddress())


@pytest.mark.parametrize(
    ("text", "places"),
    [
        pytest.param("nothing to see, in 2024", set(), id="no-clue"),
        pytest.param("", set(), id="no-text"),
        pytest.param("@home", {1}, id="one"),
        pytest.param("0000 0000 0000 0, @", {0, 1}, id="both"),
        pytest.param("\u2010é\u20120000\u20100000\u00a00000\u202f0", {0}, id="separators-that-are-not-ascii"),
        pytest.param("\ud800@\ud800", {1}, id="a-lone-surrogate-hides-nothing"),
    ],
)
def test_says_who_has_to_look(text, places):
    assert places == set(Clues(BOTH).seen(text))


def test_without_detectors_nobody_has_to_look():
    assert not Clues(()).seen("a@b.co")


def test_a_clue_that_is_no_pattern_is_an_error():
    class Broken(EmailAddress):
        clue = "(("

    with pytest.raises(re.error):
        Clues([Broken()])


_SEARCHES = """
import policies.engines.rego_library
from policies.detectors.clues import Clues
from policies.detectors.registry import DETECTORS

def resident_bytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

clues, text = Clues(DETECTORS), "Write to carol@example.com or 4111 1111 1111 1111. " * 4
for _ in range(2000):
    clues.seen(text)
before = resident_bytes()
for _ in range(40_000):
    clues.seen(text)
print(resident_bytes() - before)
"""


def test_a_search_beside_rego_cpp_keeps_no_memory():
    done = subprocess.run([sys.executable, "-c", _SEARCHES], capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) < 2**20  # RE2 kept 14 MB
