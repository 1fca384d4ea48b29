# SPDX-License-Identifier: Apache-2.0
"""Validators that a policy's own detectors name: whether a value is a number of its kind, not only shaped like one.

The table is closed: a policy brings data, never code. `docs/reference/validators.md` lists it.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeAlias

from stdnum import damm, ean, iban, luhn, verhoeff
from stdnum.iso7064 import mod_11_2, mod_11_10, mod_37_2, mod_37_36, mod_97_10

Validator: TypeAlias = Callable[[str], bool]

# What people write between the digits of a number. A check digit says nothing of it.
_SEPARATORS: Final = str.maketrans("", "", " -./")
_ENTROPY: Final = re.compile(r"entropy:([1-5](?:\.[0-9])?)")

_CHECKS: Final[Mapping[str, Validator]] = {
    "damm": damm.is_valid,
    "ean": ean.is_valid,
    "iban": iban.is_valid,
    "luhn": luhn.is_valid,
    "mod11-10": mod_11_10.is_valid,
    "mod11-2": mod_11_2.is_valid,
    "mod37-2": mod_37_2.is_valid,
    "mod37-36": mod_37_36.is_valid,
    "mod97-10": mod_97_10.is_valid,
    "verhoeff": verhoeff.is_valid,
}

# `entropy:N` stands for all of its numbers.
VALIDATOR_NAMES: Final = (*sorted(_CHECKS), "entropy:N")


def validator(name: str) -> Validator:
    """Return the validator of that name. Raises LookupError where there is none."""
    if check := _CHECKS.get(name):
        return partial(_checked, check)
    if entropy := _ENTROPY.fullmatch(name):
        return partial(_at_least, float(entropy[1]))
    raise LookupError(f"no such validator: {name!r}; there are {', '.join(VALIDATOR_NAMES)}")


def entropy_of(value: str) -> float:
    """Return Shannon's entropy of the characters of `value`, in bits a character."""
    length = len(value)
    return -sum(count / length * math.log2(count / length) for count in Counter(value).values())


def _checked(check: Validator, value: str) -> bool:
    return check(value.translate(_SEPARATORS).upper())


def _at_least(bits: float, value: str) -> bool:
    return entropy_of(value) >= bits
