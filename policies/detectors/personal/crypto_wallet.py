# SPDX-License-Identifier: Apache-2.0
"""Addresses of wallets: Bitcoin and its relatives by base58check or bech32, Ethereum by EIP-55, Ripple and Tron.

Facts. A base58check address has a version byte and four bytes of a double SHA-256 behind 20 bytes of a key's hash; a
bech32 address has six characters of a BCH code (bech32m since version 1). An Ethereum address is 20 bytes in
hexadecimal; written in both cases its capitals are a check, in one case it has none.
"""

import hashlib
import re
from typing import Final

from policies.detectors.context import Words, leads
from policies.detectors.contract import Candidate, Detector, Pattern
from policies.detectors.keccak import keccak_256

_WORDS: Final = Words.of(
    "ethereum", "eth", "ether", "wallet", "wallets", "address", "crypto", "usdt", "usdc", "erc", "metamask", "0x",
)  # fmt: skip
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_RIPPLE: Final = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
_BASE58_OF_RIPPLE: Final = str.maketrans(_RIPPLE, _BASE58)
_BASE58_LENGTH: Final = 25
# Bitcoin, its scripts, Litecoin, Dogecoin, Tron, Ripple (0), Dash.
_VERSIONS: Final = {"1": {0}, "3": {5}, "L": {48}, "M": {50}, "D": {30}, "A": {22}, "9": {22}, "T": {65}, "X": {76}}

_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CHECKS: Final = {1, 0x2BC830A3}  # bech32 and bech32m

_HEXADECIMAL: Final = re.compile(r"0x[0-9A-Fa-f]{40}")
_LEAST_DIFFERENT: Final = 6  # `0x0000…dead` and the like are no wallet's


def _is_base58check(address: str) -> bool:
    versions = _VERSIONS.get(address[0])
    if address[0] == "r":
        address, versions = address.translate(_BASE58_OF_RIPPLE), {0}
    number = 0
    for character in address:
        place = _BASE58.find(character)
        if place < 0:
            return False
        number = number * 58 + place
    if versions is None or number >> (8 * _BASE58_LENGTH):
        return False
    decoded = number.to_bytes(_BASE58_LENGTH, "big")
    digest = hashlib.sha256(hashlib.sha256(decoded[:-4]).digest()).digest()
    return decoded[0] in versions and digest[:4] == decoded[-4:]


def _is_bech32(address: str) -> bool:
    address = address.lower()
    prefix, _, rest = address.partition("1")
    checksum = 1
    for value in (
        *(ord(character) >> 5 for character in prefix),
        0,
        *(ord(character) & 31 for character in prefix),
        *(_BECH32.find(character) for character in rest),
    ):
        if value < 0:
            return False
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum in _BECH32_CHECKS


def _has_right_capitals(address: str) -> bool:
    """EIP-55: a letter is a capital where the digest of the address in small letters has a digit of 8 or above."""
    digits = address[2:]
    digest = keccak_256(digits.lower().encode()).hex()
    return all(
        not character.isalpha() or character.isupper() == (int(nibble, 16) >= 8)  # noqa: PLR2004  # of the EIP
        for character, nibble in zip(digits, digest, strict=False)
    )


def _judge_hexadecimal(candidate: Candidate) -> float | None:
    digits = candidate.value[2:]
    if len(set(digits.lower())) < _LEAST_DIFFERENT:
        return None
    if digits.lower() == digits or digits.upper() == digits:
        return 1.0 if leads(candidate.before, _WORDS) else 0.6
    if _has_right_capitals(candidate.value):
        return 1.0
    return 0.5 if candidate.lenient and leads(candidate.before, _WORDS) else None


def _judge(candidate: Candidate) -> float | None:
    if _HEXADECIMAL.fullmatch(candidate.value):
        return _judge_hexadecimal(candidate)
    if candidate.value[:4].lower() in {"bc1q", "bc1p", "tb1q", "tb1p", "ltc1"}:
        return 1.0 if _is_bech32(candidate.value) else None
    return 1.0 if _is_base58check(candidate.value) else None


CRYPTO_WALLET: Final = Detector(
    name="crypto-wallet",
    kind="CRYPTO",
    group="payment",
    patterns=(
        Pattern(expression=r"[13LMDATX9r][1-9A-HJ-NP-Za-km-z]{25,34}"),
        Pattern(expression=r"(?:bc1|tb1|ltc1)[02-9ac-hj-np-z]{11,71}|(?:BC1|TB1|LTC1)[02-9AC-HJ-NP-Z]{11,71}"),
        Pattern(expression=r"0x[0-9A-Fa-f]{40}"),
    ),
    judge=_judge,
    finds=(
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "pay bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 now",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "eth: 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
    ),
    ignores=(
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
        "0x0000000000000000000000000000000000000000",
        "1111111111111111111111111111111111",
    ),
)
