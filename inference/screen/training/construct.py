# SPDX-License-Identifier: Apache-2.0
"""Rows put together from others, so that nothing but the order itself tells an attack from a text that holds none.

Lists of attacks are short and plain, lists of documents long and tidy: a model trained on both learns which list a text
is from. So attacks are planted in harmless texts, harmless sentences in the same places, and both are misspelt alike.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from inference.screen.training.corpus import Row

# An order that is planted is a sentence or two. A longer text is not planted but plays a part of its own.
SHORT_CHARS: Final = 260
LONG_CHARS: Final = 200
CARRIER_CHARS: Final = 900
# A constructed row says less than one that somebody wrote.
WEIGHT: Final = 0.5
SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n+")
SENTENCE_CHARS: Final = 24

SEPARATORS: Final = (" ", "\n", "\n\n", " -- ", "\n\n---\n", " | ", "\n\n### ", "\n> ", "\n<!-- ", '", "note": "')


def construct(rows: Sequence[Row], *, seed: int) -> list[Row]:
    """The rows that are added to these. The same for the same rows and seed."""
    chance = random.Random(seed)  # noqa: S311 - reproducible, and nothing secret
    attacks = [row for row in rows if row.injection and row.kind == "direct" and len(row.text) <= SHORT_CHARS]
    harmless = [row for row in rows if not row.injection]
    carriers = [row for row in harmless if len(row.text) >= LONG_CHARS]
    fillers = [row for row in harmless if len(row.text) <= SHORT_CHARS]
    made = [_planted(attack, chance.choice(carriers), chance) for attack in attacks]
    made += [_planted(chance.choice(fillers), chance.choice(carriers), chance) for _ in attacks]
    made += [_sentence(row, chance) for row in carriers if chance.random() < 0.5]  # noqa: PLR2004 - half of them
    made += [_span(row) for row in rows if row.span]
    made += [_misspelt(row, chance) for row in rows if chance.random() < 0.25]  # noqa: PLR2004 - a quarter
    return [row for row in made if row.text.strip()]


def _planted(planted: Row, carrier: Row, chance: random.Random) -> Row:
    text = carrier.text[:CARRIER_CHARS]
    places = [0, len(text), *(found.end() for found in SENTENCE.finditer(text))]
    at = chance.choice(places)
    separator = chance.choice(SEPARATORS)
    parts = [text[:at].rstrip(), planted.text.strip(), text[at:].lstrip()]
    return Row(
        text=separator.join(part for part in parts if part),
        injection=planted.injection,
        kind="indirect" if planted.injection else "benign",
        sources=planted.sources | carrier.sources,
        groups=planted.groups | carrier.groups,
        weight=WEIGHT * min(planted.weight, carrier.weight),
        span=planted.text if planted.injection else "",
        made="planted",
    )


def _sentence(row: Row, chance: random.Random) -> Row:
    """One sentence of a harmless text: harmless, and as short as many an attack."""
    sentences = [each for each in SENTENCE.split(row.text) if len(each) >= SENTENCE_CHARS]
    text = chance.choice(sentences)[:CARRIER_CHARS] if sentences else ""
    return replace(row, text=text, kind="benign", weight=WEIGHT * row.weight, made="sentence")


def _span(row: Row) -> Row:
    return replace(row, text=row.span, weight=WEIGHT * row.weight, made="span")


def _misspelt(row: Row, chance: random.Random) -> Row:
    """The same text in another case, with typing errors, or with odd spacing."""
    text = row.text[: 4 * CARRIER_CHARS]
    way = chance.randrange(5)
    if way == 0:
        text = text.lower()
    elif way == 1:
        text = text.upper()
    elif way == 2:  # noqa: PLR2004
        text = "".join(_typo(letter, chance) for letter in text)
    elif way == 3:  # noqa: PLR2004
        text = re.sub(r"[^\w\s]", "", text)
    else:
        text = re.sub(r" ", lambda _: chance.choice((" ", " ", "  ", "\n")), text)
    return replace(row, text=text, weight=WEIGHT * row.weight, made="misspelt")


def _typo(letter: str, chance: random.Random) -> str:
    if not letter.isalpha() or chance.random() > 0.06:  # noqa: PLR2004 - about one in each third word
        return letter
    return chance.choice((letter * 2, "", chance.choice("aeinorst")))
