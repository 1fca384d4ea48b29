# SPDX-License-Identifier: Apache-2.0
"""What the words before a value say of it: `tax id 12 345 678` is another thing than `order 12 345 678`.

Words are compared whole and without case; `clientIp`, `client_ip` and `client-ip` are two words each. The words of
placeholders are passed over: they are ours, and must not make a finding of what stands behind them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policies.detectors.contract import BEFORE
from policies.scanning.fold import folded

# A placeholder (`[redacted:phone:2]`) or a hash (`[phone:1f0c9a27d4…]`).
_OURS: Final = re.compile(r"\[[A-Za-z0-9_.-]+:[A-Za-z0-9_.:…-]*\]")
_REST_OF_OURS: Final = re.compile(r"[A-Za-z0-9_.:…-]*\]")  # where the text before a value begins within one
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD: Final = re.compile(r"[^\W\d_]+")


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text in lower case, folded like the copy of a text that is scanned."""
    return tuple(_WORD.findall(_HUMP.sub(" ", folded(text)).lower()))


@dataclass(frozen=True, slots=True)
class Words:
    """Words and phrases to be looked for before a value, by the last word of each."""

    phrases: Mapping[str, tuple[tuple[str, ...], ...]]

    @classmethod
    def of(cls, *phrases: str) -> "Words":
        """Return them parsed as a text is: `driver's licence` is three words."""
        by_last: dict[str, tuple[tuple[str, ...], ...]] = {}
        for phrase in phrases:
            # Capitals and small letters of other scripts fold apart: Н is an H to a reader, and н no h.
            for words in {words_of(phrase), words_of(phrase.upper()), words_of(phrase.title())}:
                by_last[words[-1]] = (*by_last.get(words[-1], ()), words)
        return cls(by_last)

    def __or__(self, other: "Words") -> "Words":
        lasts = self.phrases.keys() | other.phrases.keys()
        return Words({last: self.phrases.get(last, ()) + other.phrases.get(last, ()) for last in lasts})

    def last_in(self, words: tuple[str, ...]) -> int:
        """Return the index behind the last of them in a row of words; 0 where there is none."""
        for end in range(len(words), 0, -1):
            for phrase in self.phrases.get(words[end - 1], ()):
                if words[max(0, end - len(phrase)) : end] == phrase:
                    return end
        return 0


NONE: Final = Words({})

_NAMING: Final = 3  # `order number is`

# What numbers are called that are none of a person.
OTHER_NUMBERS: Final = Words.of(
    "order", "invoice", "isbn", "issn", "ean", "upc", "sku", "tracking", "shipment", "parcel", "version", "release",
    "build", "revision", "commit", "ticket", "issue", "serial", "part", "model", "case", "reference", "ref", "lot",
    "batch", "transaction", "request", "session", "timestamp", "epoch", "page", "doi", "rfc", "port", "checksum",
    "bestellung", "bestellnummer", "rechnung", "rechnungsnummer", "auftrag", "auftragsnummer", "sendung", "facture",
    "commande", "colis", "pedido", "factura", "albarán", "ordine", "fattura", "fatura", "encomenda", "bestelling",
    "bestelnummer", "factuur", "factuurnummer", "zending",
)  # fmt: skip


def words_before(before: str) -> tuple[str, ...]:
    """Return the words before a value, without those of placeholders."""
    if "]" in before:
        before = _OURS.sub(" ", before)
        if len(before) == BEFORE and (rest := _REST_OF_OURS.match(before)):
            before = before[rest.end() :]
    return words_of(before)


def leads(before: str, words: Words, against: Words = NONE) -> bool:
    """Whether one of `words` stands before a value, and none of `against` stands nearer to it."""
    found = words_before(before)
    nearest = words.last_in(found)
    return nearest > 0 and nearest >= against.last_in(found)


def names(before: str, words: Words) -> bool:
    """Whether one of `words` is among the few directly before a value, so that it is what the value is called."""
    return words.last_in(words_before(before)[-_NAMING:]) > 0
