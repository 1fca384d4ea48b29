# SPDX-License-Identifier: Apache-2.0
"""Addresses of hosts in IPv4 and IPv6.

No findings: addresses that every host has (loopback, unspecified, broadcast) or none (multicast), networks of many
(`10.0.0.0`), and what only looks like an address: a version, four single digits, the fingerprint of a key.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from policies.detectors.context import Words, leads, names
from policies.detectors.contract import ALPHANUMERIC, Candidate, Detector, Pattern

_WORDS: Final = Words.of(
    "ip", "ips", "ipv4", "ipv6", "address", "addr", "host", "server", "client", "gateway", "router", "dns", "remote",
    "adresse", "dirección", "indirizzo", "endereço", "adres",
)  # fmt: skip
_VERSIONS: Final = Words.of(
    "version", "versions", "ver", "v", "release", "build", "firmware", "section", "chapter", "oid", "asn",
)  # fmt: skip
_WITHIN_A_VERSION: Final = re.compile(r"[0-9]\.$")
_WITHIN_A_ROW: Final = re.compile(r"[0-9]\.$|[0-9A-Fa-f]:$")
_SINGLE_DIGITS: Final = re.compile(r"[0-9](?:\.[0-9]){3}")
_PAIRS: Final = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){7}")
_FULL: Final = re.compile(r"[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){7}")
# Of a short address the first group says what it is: global, unique local or link local.
_FIRST_GROUP: Final = re.compile(r"[23][0-9A-Fa-f]{3}|[Ff][CcDd][0-9A-Fa-f]{2}|[Ff][Ee][89AaBb][0-9A-Fa-f]")
_HEX: Final = "[0-9A-Fa-f]{1,4}"


def _judge_v4(value: str, before: str) -> float | None:
    address = IPv4Address(value)
    if address.is_loopback or address.is_unspecified or address.is_multicast or address == _BROADCAST:
        return None
    if names(before, _VERSIONS) or value.endswith(".0.0"):
        return None
    if leads(before, _WORDS, _VERSIONS):
        return 1.0
    return None if _SINGLE_DIGITS.fullmatch(value) else 0.8


_BROADCAST: Final = IPv4Address("255.255.255.255")


def _judge_v6(value: str, before: str) -> float | None:
    address = IPv6Address(value)
    if address.is_loopback or address.is_unspecified or address.is_multicast or _PAIRS.fullmatch(value):
        return None
    if leads(before, _WORDS, _VERSIONS):
        return 1.0
    known = _FULL.fullmatch(value) or _FIRST_GROUP.fullmatch(value.partition(":")[0])
    return 0.8 if known and not value.endswith("::") else None


def _judge(candidate: Candidate) -> float | None:
    # Before an address of IPv4 a letter and a colon are the end of a name: `node:192.0.2.1`.
    judge, within = (_judge_v6, _WITHIN_A_ROW) if ":" in candidate.value else (_judge_v4, _WITHIN_A_VERSION)
    if within.search(candidate.before):
        return None
    try:
        return judge(candidate.value, candidate.before)
    except AddressValueError:
        return None


IP_ADDRESS: Final = Detector(
    name="ip-address",
    kind="IP_ADDRESS",
    group="network",
    patterns=(
        Pattern(expression=r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}"),
        Pattern(expression=rf"{_HEX}(?::{_HEX}){{7}}"),
        Pattern(expression=rf"(?:{_HEX}:){{1,6}}(?::{_HEX}){{1,6}}", alone=ALPHANUMERIC + ":"),
        Pattern(expression=rf"(?:{_HEX}:){{2,7}}:", alone=ALPHANUMERIC + ":"),
    ),
    judge=_judge,
    finds=(
        "203.0.113.7",
        "from 198.51.100.23.",
        "http://192.0.2.1:8080/",
        "2001:db8::8a2e:370:7334",
        "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "server at fe80::1,",
        "IP 1.2.3.4",
        "client_ip=10.1.2.3",
        "node:198.51.100.23",
        "::ffff:198.51.100.23",
    ),
    ignores=(
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104  # a sample
        "255.255.255.255",
        "version 10.1.2.3",
        "v10.1.2.3",
        "1.2.3.4",
        "10.0.0.0/8",
        "256.1.1.1",
        "1.3.6.1.4.1.311",
        "::1",
        "std::dec::add",
        "12:34:56",
        "a4:5b:6c:7d:8e:9f:10:21:32",
    ),
)
