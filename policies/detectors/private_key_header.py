# SPDX-License-Identifier: Apache-2.0
"""Private keys in PEM form: from the BEGIN line to the END line of the same label, or to the end of the text.

The header decides: once it is seen, everything up to the END line is the finding, however long. Nothing of that is
held in memory, since it is known to be replaced.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from policies.detectors.detector import Opening, Scan

_BEGIN: Final = "-----BEGIN "
_MAX_LABEL: Final = 57  # 40 characters, `PRIVATE KEY` and ` BLOCK`
_HEADER: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?)-----")
_HEADER_BEGUN: Final = re.compile(
    rf"(?:-----BEGIN [A-Z0-9 ]{{0,{_MAX_LABEL}}}-{{0,4}}"
    r"|-----BEGIN|-----BEGI|-----BEG|-----BE|-----B|-----|----|---|--|-)\Z",
)
_MAX_BEGUN: Final = len(_BEGIN) + _MAX_LABEL + 4


@dataclass(frozen=True, slots=True)
class PrivateKeyHeader:
    name: ClassVar[str] = "private-key-header"
    max_hold: ClassVar[int] = _MAX_BEGUN
    lookbehind: ClassVar[int] = 0
    clue: ClassVar[str] = _BEGIN
    finds: ClassVar[tuple[str, ...]] = (
        "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\nthat was it",
        "here: -----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOY",
        "-----BEGIN EC PRIVATE KEY-----MHcCAQ-----END PRIVATE KEY-----",
        "-------BEGIN ENCRYPTED PRIVATE KEY-----",
    )
    ignores: ClassVar[tuple[str, ...]] = (
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----",
        "BEGIN PRIVATE KEY",
        "----BEGIN PRIVATE KEY----",
        "-----BEGIN PRIVATE KEY----",
        "-----END PRIVATE KEY-----",
    )

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        end = len(text)
        if text.find(_BEGIN, start) != -1 and (header := _HEADER.search(text, start)):
            opening = Opening(header.start(), header.end(), f"-----END {header[1]}-----")
            return Scan((), header.start(), opening)
        return Scan((), end if final else _begun_at(text, start))

    def undecided_from(self, text: str, start: int) -> int:
        return _begun_at(text, start)


def _begun_at(text: str, start: int) -> int:
    """Return where a header begins that the end of the text cuts off, or the end."""
    end = len(text)
    tail = max(start, end - _MAX_BEGUN)
    if text.find("-", tail) == -1:
        return end
    begun = _HEADER_BEGUN.search(text, tail)
    return begun.start() if begun else end
