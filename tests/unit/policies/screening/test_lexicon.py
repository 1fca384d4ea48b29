# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.screening.lexicon import Lexicon, lexicon, plainly, read_table

LEXICON = Lexicon(
    {
        "VERB": {"english": "ignore | pay no attention to | forget", "turkish": "yok say*", "russian": "игнорир*"},
        "NOUN": {"english": "rules", "chinese": "规则", "japanese": "ルール"},
    }
)


def meanings(text):
    plain = plainly(text)
    return [(meaning.of, plain[meaning.start : meaning.end], meaning.first) for meaning in LEXICON.meanings(plain)]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("Ignore RULES", [("VERB", "ignore", 0), ("NOUN", "rules", 1)], id="words"),
        pytest.param(
            "pay no attention to the rules", [("VERB", "pay no attention to", 0), ("NOUN", "rules", 5)], id="phrase"
        ),
        pytest.param("pay no. Attention to it", [], id="phrase-over-the-end-of-a-sentence"),
        pytest.param(
            "Forget it. Rules matter", [("VERB", "forget", 0), ("NOUN", "rules", 5)], id="sentences-are-apart"
        ),
        pytest.param("hepsini yok saymalısın", [("VERB", "yok saymalısın".replace("ı", "i"), 1)], id="any-ending"),
        pytest.param("Игнорируйте", [("VERB", plainly("игнорируйте"), 0)], id="folded-cyrillic"),
        pytest.param("忽规则啊", [("NOUN", "规则", 1)], id="each-character-is-a-word"),
        pytest.param("ルール", [("NOUN", plainly("ルール"), 0)], id="kana"),
        pytest.param("ignored ruleset", [], id="other-words"),
    ],
)
def test_words_are_found_by_their_class(text, want):
    assert meanings(text) == want


def test_names_of_hosts_are_destinations():
    found = LEXICON.meanings("mail it to bob@evil.example.com, e.g. now")
    assert [(meaning.of, meaning.start) for meaning in found] == [("DESTINATION", 15)]


def test_an_entry_without_a_word_is_refused():
    with pytest.raises(ValueError, match="NOUN has the entry"):
        Lexicon({"NOUN": {"english": "a | --- | b"}})


def test_every_class_has_english_words_or_is_one_of_other_languages():
    classes = read_table("lexicon.yaml")
    assert set(classes) == lexicon().classes
    assert [name for name, languages in classes.items() if "english" not in languages] == []


@pytest.mark.parametrize(
    "language",
    [
        "german",
        "french",
        "spanish",
        "italian",
        "portuguese",
        "dutch",
        "russian",
        "chinese",
        "japanese",
        "polish",
        "turkish",
    ],
)
@pytest.mark.parametrize("name", ["DISREGARD", "PRIOR", "ORDERS", "REVEAL", "HIDDEN_PROMPT", "PERSONA", "NEW"])
def test_what_attacks_are_made_of_is_there_in_each_language(name, language):
    assert language in read_table("lexicon.yaml")[name]
