# SPDX-License-Identifier: Apache-2.0
import re

from proxy_addons.core.responses_words import NAMES, WORDS


def test_words_are_of_the_protocol():
    assert all(re.fullmatch(r"[a-z0-9_]{3,32}", word) for word in WORDS)


def test_no_name_that_a_model_writes_is_told():
    assert NAMES <= WORDS
    assert not NAMES & {"arguments", "parameters", "properties", "description", "email", "password"}
