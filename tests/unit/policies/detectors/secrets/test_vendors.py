# SPDX-License-Identifier: Apache-2.0
from policies.detectors.secrets.randomness import humps
from policies.detectors.secrets.vendors import VENDORS


def test_a_vendor_is_said_as_names_are_compared():
    assert sorted(name for name in VENDORS if not name.isalnum() or not name.islower()) == []


def test_no_vendor_is_the_word_of_many_names():
    common = "get set user my the api key token secret line page cache db app test prod dev session access client"
    assert VENDORS.isdisjoint(common.split())


def test_names_of_two_words_are_written_as_one():
    assert "".join(each.lower() for each in humps("NewRelic")) in VENDORS
