# SPDX-License-Identifier: Apache-2.0
"""Names and places by a model: a stand-in takes Presidio's place, and finds what is in a list."""

import importlib.machinery
import sys
from types import ModuleType, SimpleNamespace

import pytest

from policies.detectors import presidio
from policies.detectors.contract import Candidate
from policies.scanning.scanner import Databases, Scanner

KNOWN = {"PERSON": ["Alice van Smith", "Bob"], "LOCATION": ["Paris"]}
SCORE = 0.85


class Analyser:
    """Presidio's engine, as far as it is used."""

    def __init__(self, **given):
        self.given = given

    def analyze(self, *, text, language, entities):
        assert language == "en"
        return [
            SimpleNamespace(start=text.index(name), end=text.index(name) + len(name), score=SCORE)
            for kind in entities
            for name in KNOWN[kind]
            if name in text
        ]


def module(name, **members):
    made = ModuleType(name)
    made.__spec__ = importlib.machinery.ModuleSpec(name, None)
    vars(made).update(members)
    return made


@pytest.fixture
def installed(monkeypatch):
    """Make what is installed be what a test says; nothing else of it is."""

    def install(*names):
        for name in ("presidio_analyzer", "spacy", *presidio.MODELS):
            monkeypatch.setitem(sys.modules, name, module(name) if name in names else None)
        made = {
            "presidio_analyzer": {"AnalyzerEngine": Analyser, "RecognizerRegistry": SimpleNamespace},
            "presidio_analyzer.nlp_engine": {"SpacyNlpEngine": SimpleNamespace},
            "presidio_analyzer.predefined_recognizers": {"SpacyRecognizer": SimpleNamespace},
        }
        for name, members in made.items() if "presidio_analyzer" in names else ():
            monkeypatch.setitem(sys.modules, name, module(name, **members))

    presidio._asking.cache_clear()
    yield install
    presidio._asking.cache_clear()


@pytest.fixture
def found(installed):
    installed("presidio_analyzer", "spacy", "en_core_web_md", "en_core_web_sm")
    return {detector.name: detector for detector in presidio.detectors()}


def judged(detector, value, before=""):
    return detector.judge(Candidate(value=value, before=before, lenient=False))


def test_a_name_is_one_that_the_model_says_is_one(found):
    assert judged(found["person"], "Bob", "I met ") == SCORE
    assert judged(found["person"], "Smith", "I met Alice van ") == SCORE
    assert judged(found["person"], "Rob", "I met ") is None
    assert judged(found["place"], "Paris") == SCORE
    assert judged(found["place"], "Bob") is None


def test_a_value_that_goes_on_behind_the_name_is_none(found):
    """The shorter candidate is the finding: what stands behind a name is none."""
    assert judged(found["person"], "Bob Went") is None


def test_findings_say_what_presidio_says(found):
    assert {detector.name: (detector.kind, detector.group) for detector in found.values()} == {
        "person": ("PERSON", "presidio"),
        "place": ("LOCATION", "presidio"),
    }


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("so Bob went", {"Bob"}, id="one-word"),
        pytest.param("by Alice van Smith", {"Alice", "Smith", "Alice van Smith"}, id="a-word-between"),
        pytest.param("in É. or Édimbourg", {"Édimbourg"}, id="a-letter-with-an-accent"),
        pytest.param("J. Doe", {"J.", "J", "Doe", "J. Doe"}, id="an-initial"),
        pytest.param("O'Neil-Brown", {"O'Neil-Brown"}, id="marks-within"),
        pytest.param("nothing is written like a name, aBob", set(), id="lower-case"),
    ],
)
def test_what_is_written_like_a_name_is_asked_about(found, text, want):
    patterns = found["person"].patterns
    scanner = Scanner(Databases.of(patterns))
    data = text.encode()
    spans = {(start, end) for _, end in scanner.ends(data) for _, start in scanner.starts(data, end, [0])}
    assert want <= {data[start:end].decode() for start, end in spans}
    assert bool(want) == bool(spans)


def test_the_best_model_that_is_installed_is_asked(installed):
    installed("presidio_analyzer", "spacy", "en_core_web_sm", "en_core_web_lg")
    assert presidio.model() == "en_core_web_lg"


@pytest.mark.parametrize(
    ("names", "says"),
    [
        pytest.param((), "presidio_analyzer is not installed", id="nothing"),
        pytest.param(("presidio_analyzer",), "spacy is not installed", id="no-spacy"),
        pytest.param(("presidio_analyzer", "spacy"), "no model of spaCy", id="no-model"),
    ],
)
def test_what_is_missing_is_named(installed, names, says):
    installed(*names)
    for asked in (presidio.model, presidio.detectors):
        with pytest.raises(presidio.NotInstalled, match=says):
            asked()


def test_nothing_is_imported_until_it_is_wanted():
    assert not {"presidio_analyzer", "spacy"} & sys.modules.keys()
