# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from policies.detectors.validators import VALIDATOR_NAMES, entropy_of, validator

PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "validators.md"


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("damm", "5724", "5725"),
        ("ean", "4006381333931", "4006381333932"),
        ("iban", "GB82 WEST 1234 5698 7654 32", "GB83 WEST 1234 5698 7654 32"),
        ("luhn", "4111-1111-1111-1111", "4111-1111-1111-1112"),
        ("mod11-10", "07945", "07946"),
        ("mod11-2", "079x", "0791"),
        ("mod37-2", "G123489654321Y", "G123489654321Z"),
        ("mod37-36", "A12425GABC1234002M", "A12425GABC1234002N"),
        ("mod97-10", "79444", "79445"),
        ("verhoeff", "2363", "2364"),
        ("entropy:3.5", "q8Zx0Lw2Vb7Kd5Tn", "aaaaaaaabbbbbbbb"),
        ("entropy:1", "abab", "aaab"),
    ],
)
def test_a_validator_takes_what_is_right_and_nothing_else(name, value, wrong):
    check = validator(name)
    assert (check(value), check(wrong), check("")) == (True, False, False)


@pytest.mark.parametrize(
    "name", ["", "Luhn", "entropy", "entropy:", "entropy:0", "entropy:9", "entropy:3.55", "os.system"]
)
def test_there_are_no_others(name):
    with pytest.raises(LookupError, match="no such validator"):
        validator(name)


@pytest.mark.parametrize(("value", "bits"), [("aaaa", 0), ("abab", 1), ("abcd", 2), ("", 0)])
def test_entropy_is_in_bits_a_character(value, bits):
    assert entropy_of(value) == pytest.approx(bits)


def test_the_page_lists_every_validator():
    listed = [line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert listed == sorted(VALIDATOR_NAMES)
