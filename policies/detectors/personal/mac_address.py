# SPDX-License-Identifier: Apache-2.0
"""Addresses of network interfaces (IEEE 802): six pairs of hexadecimal digits, or three groups of four."""

import re
from typing import Final

from policies.detectors.context import Words, leads
from policies.detectors.contract import Candidate, Detector, Pattern

_WORDS: Final = Words.of("mac", "ethernet", "hwaddr", "bssid", "hardware address", "physical address", "ether", "wifi")
_WITHIN_A_ROW: Final = re.compile(r"[0-9A-Fa-f][:.-]$")
_LEAST_DIFFERENT: Final = 3  # `00:00:00:00:00:00`, `ff:ff:…` and the like are no interface's


def _judge(candidate: Candidate) -> float | None:
    digits = re.sub(r"[^0-9a-f]", "", candidate.value.lower())
    if len(set(digits)) < _LEAST_DIFFERENT or _WITHIN_A_ROW.search(candidate.before):
        return None
    if leads(candidate.before, _WORDS):
        return 1.0
    return None if digits.isdigit() and ":" not in candidate.value else 0.8


_PAIR: Final = "[0-9A-Fa-f]{2}"
_FOUR: Final = "[0-9A-Fa-f]{4}"

MAC_ADDRESS: Final = Detector(
    name="mac-address",
    kind="MAC_ADDRESS",
    group="network",
    patterns=(
        Pattern(expression=rf"{_PAIR}(?::{_PAIR}){{5}}|{_PAIR}(?:-{_PAIR}){{5}}", alone="A-Za-z0-9:-"),
        Pattern(expression=rf"{_FOUR}\.{_FOUR}\.{_FOUR}"),
    ),
    judge=_judge,
    finds=("00:00:5e:00:53:af", "MAC 00-00-5E-00-53-AF.", "0000.5e00.53af", "mac address 00-00-53-00-53-12"),
    ignores=(
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "00:00:5e:00:53:af:01",
        "12-34-56-78-90-12",
        "1234.5678.9012",
        "00:00:5e:00:53",
    ),
)
