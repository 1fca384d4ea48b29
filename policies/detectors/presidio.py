# SPDX-License-Identifier: Apache-2.0
"""Names of people and places, by a language model that Presidio asks: only where it is installed, and a policy says so.

A name has no form, so these are opt-in: `all` has them not. A model is not local, and what is found must not depend on
how a stream was cut. So the patterns take whatever is written like a name in Latin script, words that begin with a
capital letter, and the model is asked about each with no more than what a judge may see: the few words before it. That
finds less than a model with the whole text does, and the same in every stream.

Warning: a question to the model takes milliseconds, thousands of times what other detectors take, and every word with a
capital letter is a question. Policies that name these want a bound on the length of bodies.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol

from policies.detectors.catalogue import PRESIDIO, Entry
from policies.detectors.contract import Candidate, Detector, Pattern

# Presidio's type for each; what findings say too, as everywhere.
KINDS: Final = {"person": "PERSON", "place": "LOCATION"}
# The best that is installed is asked. Nothing is ever fetched.
MODELS: Final = ("en_core_web_trf", "en_core_web_lg", "en_core_web_md", "en_core_web_sm")
FIX: Final = "Install presidio-analyzer and a model of spaCy, such as en_core_web_lg, on every node and here."

_LANGUAGE: Final = "en"
_WORD: Final = r"(?:[A-Z]\.|(?:[A-Z]|\xc3[\x80-\x9e])[A-Za-z\x80-\xff'-]{0,39})"
_BETWEEN: Final = r"(?: (?:al|bin|da|de|del|den|der|di|du|la|le|of|the|van|von))?"
_PATTERNS: Final = (Pattern(expression=f"{_WORD}(?:{_BETWEEN} {_WORD}){{0,4}}"),)


class NotInstalled(ValueError):
    """A policy names what needs Presidio, and it is not there."""


class Entity(Protocol):
    """What Presidio has found: `text[start:end]`."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def score(self) -> float: ...


# Asks for the entities of one of Presidio's types in a text.
Ask = Callable[[str, str], Iterable[Entity]]


def detectors() -> tuple[Detector, ...]:
    """Return both detectors, ready: the model is loaded, which takes seconds. Raises NotInstalled."""
    ask = _asking()
    return tuple(
        Detector(
            name=name, kind=kind, group=PRESIDIO, patterns=_PATTERNS, finds=(), ignores=(), judge=_Judge(kind, ask)
        )
        for name, kind in KINDS.items()
    )


def wanted(said: str) -> bool:
    """Return whether a rule that says this means one of the detectors, or both."""
    return said in KINDS or said == PRESIDIO


def entries() -> tuple[Entry, ...]:
    """Return what they are called, without loading anything. Raises NotInstalled."""
    model()
    return tuple(Entry(name, PRESIDIO) for name in KINDS)


def model() -> str:
    """Return the model that would be asked. Raises NotInstalled."""
    for module in ("presidio_analyzer", "spacy"):
        if importlib.util.find_spec(module) is None:
            raise NotInstalled(f"{module} is not installed")
    installed = next((name for name in MODELS if importlib.util.find_spec(name) is not None), None)
    if installed is None:
        raise NotInstalled(f"no model of spaCy is installed: there is none of {', '.join(MODELS)}")
    return installed


@cache
def _asking() -> Ask:
    name = model()
    presidio: Any = importlib.import_module("presidio_analyzer")
    engines: Any = importlib.import_module("presidio_analyzer.nlp_engine")
    recognisers: Any = importlib.import_module("presidio_analyzer.predefined_recognizers")
    engine = engines.SpacyNlpEngine(models=[{"lang_code": _LANGUAGE, "model_name": name}])
    recogniser = recognisers.SpacyRecognizer(supported_language=_LANGUAGE, supported_entities=list(KINDS.values()))
    registry = presidio.RecognizerRegistry(recognizers=[recogniser], supported_languages=[_LANGUAGE])
    analyser = presidio.AnalyzerEngine(
        nlp_engine=engine, registry=registry, supported_languages=[_LANGUAGE], log_decision_process=False
    )

    def ask(text: str, kind: str) -> Iterable[Entity]:
        found: Iterable[Entity] = analyser.analyze(text=text, language=_LANGUAGE, entities=[kind])
        return found

    return ask


@dataclass(frozen=True, slots=True)
class _Judge:
    """Takes a value that is all of it within one entity of a kind."""

    kind: str
    ask: Ask

    def __call__(self, candidate: Candidate) -> float | None:
        start = len(candidate.before)
        end = start + len(candidate.value)
        found = self.ask(candidate.before + candidate.value, self.kind)
        return max((each.score for each in found if each.start <= start and end <= each.end), default=None)
