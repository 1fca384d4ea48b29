# SPDX-License-Identifier: Apache-2.0
"""What is written in place of a finding. No detector finds anything in it."""

import hashlib
import hmac
from typing import Final

from policies.contracts.snapshot import RedactionAction
from policies.detectors.catalogue import OWN
from policies.detectors.contract import SECRET, Detector
from policies.redaction.findings import Tally
from policies.redaction.selection import RuleUse
from policies.scanning.fold import folded

# What is written looks like `[redacted:email:2]`, `[email:dkfbjaelmo]` or `[EMAIL-1]`; a group of it is the name.
# Its number is short, so that no number which is to be found can pass for one.
PLACEHOLDER: Final = (
    r"\[(?:redacted:([a-z0-9.-]{1,64})(?::[0-9]{1,4})?"
    r"|([a-z0-9.-]{1,64}):[a-p]{10}"
    r"|([A-Z][A-Z0-9-]{0,63})-[0-9]{1,5})\]"
)
# In letters alone, of which no detector takes any for a number.
_LETTERS: Final = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_SHOWN_OF_HASH: Final = 10
_MASK: Final = "*"


def replacement(rule: RuleUse, detector: Detector, value: str, *, before: str, tally: Tally, key: bytes | None) -> str:
    """Return what stands in place of `value`, behind the character `before` ("" at the beginning of a text).

    For the actions that leave the rest of a text as it is: mask, replace, hash, remove.
    """
    match rule.action:
        case RedactionAction.MASK:
            kept = min(rule.keep_last, len(value) // 2)
            return _MASK * (len(value) - kept) + value[len(value) - kept :]
        case RedactionAction.REMOVE:
            # What stood on both sides is not joined: two halves of a number could become one.
            return "" if not before or before.isspace() else " "
        case RedactionAction.HASH if key is not None:
            return f"[{shown(detector)}:{_keyed(key, detector, value)[:_SHOWN_OF_HASH].translate(_LETTERS)}]"
        case _:
            return _placeholder(rule, detector, value, tally)


def _placeholder(rule: RuleUse, detector: Detector, value: str, tally: Tally) -> str:
    """Return `[redacted:email]` for the first value of a detector in a conversation, then `[redacted:email:2]`."""
    if rule.reversible and tally.pseudonyms is not None:
        pseudonym = tally.pseudonyms.of(shown(detector), value)
        if pseudonym is not None:
            return pseudonym
    number = tally.number(detector.name, _canonical(detector, value))
    return f"[redacted:{shown(detector)}]" if number in (None, 1) else f"[redacted:{shown(detector)}:{number}]"


def shown(detector: Detector) -> str:
    """Return the name without the policy that defines the detector."""
    return detector.name.rpartition(OWN)[2]


def _keyed(key: bytes, detector: Detector, value: str) -> str:
    said = f"{detector.kind}\0{_canonical(detector, value)}".encode("utf-8", "replace")
    return hmac.new(key, said, hashlib.sha256).hexdigest()


def _canonical(detector: Detector, value: str) -> str:
    """Return what is the same however a value is written: `4111 1111…` and `4111-1111…` are one card."""
    plain = folded(value)
    if not detector.kind.startswith(SECRET):
        plain = plain.casefold()
    return "".join(filter(str.isalnum, plain)) or value
