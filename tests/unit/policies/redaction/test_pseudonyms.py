# SPDX-License-Identifier: Apache-2.0
"""What a restorer gives is the same however the text is cut, and no more of it waits than must."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.redaction import pseudonyms as module
from policies.redaction.pseudonyms import Pseudonyms, Restored, Restorer, verbatim, within_json

ALICE, BOB = "alice@example.com", 'bob "the \\ builder"\n@example.com'


def known(*values: tuple[str, str], besides: str = "") -> Pseudonyms:
    pseudonyms = Pseudonyms(lambda: [besides])
    for kind, value in values:
        pseudonyms.of(kind, value)
    return pseudonyms


def fed(restorer: Restorer | Restored, pieces: list[str]) -> list[str]:
    return [*(restorer.feed(piece) for piece in pieces), restorer.finish()]


class Verbatim:
    """A redactor that lets everything go at once."""

    def feed(self, text: str) -> str:
        return text

    def feed_run(self, texts: list[str]):
        return iter(texts)

    def finish(self) -> str:
        return ""


def test_a_value_has_one_pseudonym_and_another_of_its_kind_the_next_number():
    pseudonyms = Pseudonyms()
    given_out = [pseudonyms.of("email", ALICE), pseudonyms.of("email", BOB), pseudonyms.of("email", ALICE)]
    assert given_out == ["[EMAIL-1]", "[EMAIL-2]", "[EMAIL-1]"]
    assert pseudonyms.of("payment-card", ALICE) == "[PAYMENT-CARD-1]"


@pytest.mark.parametrize(
    ("kind", "want"),
    [
        pytest.param("secret.github-token", "[SECRET-GITHUB-TOKEN-1]", id="dots-and-hyphens"),
        pytest.param("CREDIT_CARD", "[CREDIT-CARD-1]", id="underscores"),
        pytest.param("3d-secure", "[D-SECURE-1]", id="begins-with-a-digit"),
        pytest.param("名前", "[VALUE-1]", id="no-letter-of-ascii"),
        pytest.param("k" * 200, f"[{'K' * 48}-1]", id="long"),
    ],
)
def test_kinds_are_said_in_capitals_digits_and_hyphens(kind, want):
    pseudonyms = known((kind, "x"))
    assert pseudonyms.of(kind, "x") == want
    assert Restorer(pseudonyms).whole(f"a {want} b") == "a x b"


def test_what_the_client_wrote_itself_is_no_pseudonym():
    pseudonyms = known(("email", ALICE), besides="write [EMAIL-1] and [EMAIL-2] literally")
    assert pseudonyms.of("email", ALICE) == "[EMAIL-3]"
    assert Restorer(pseudonyms).whole("[EMAIL-1] [EMAIL-3]") == f"[EMAIL-1] {ALICE}"


def test_what_the_model_makes_up_stays():
    text = "[EMAIL-9] [EMAIL-01] [email-1] [EMAIL-1 [PHONE-1] [EMAIL--1] [[EMAIL-1]"
    assert Restorer(known(("email", ALICE))).whole(text) == text.replace("[[EMAIL-1]", f"[{ALICE}")


def test_once_the_request_is_done_nothing_gets_one():
    pseudonyms = known(("email", ALICE))
    pseudonyms.close()
    assert (pseudonyms.of("email", BOB), pseudonyms.of("email", ALICE)) == (None, None)
    assert Restorer(pseudonyms).whole("[EMAIL-1] [EMAIL-2]") == f"{ALICE} [EMAIL-2]"


def test_the_request_is_read_for_pseudonyms_only_where_there_is_one_to_give():
    def never() -> list[str]:
        raise AssertionError

    assert len(Pseudonyms(never)) == 0
    with pytest.raises(AssertionError):
        Pseudonyms(never).of("email", ALICE)


def test_same_history_has_the_same_numbers_turn_after_turn():
    first = known(("email", ALICE), ("email", BOB))
    later = known(("email", ALICE), ("email", BOB), ("email", "carol@example.com"))
    assert [first.of("email", value) for value in (ALICE, BOB)] == [later.of("email", value) for value in (ALICE, BOB)]


def test_too_many_values_and_too_long_ones_have_none(monkeypatch):
    monkeypatch.setattr(module, "MAX_PSEUDONYMS", 1)
    pseudonyms = known(("email", ALICE))
    assert (pseudonyms.of("email", BOB), pseudonyms.of("email", ALICE)) == (None, "[EMAIL-1]")
    assert Pseudonyms().of("key", "x" * (module.MAX_VALUE_CHARS + 1)) is None


def test_an_answer_cannot_be_made_large_with_them(monkeypatch):
    monkeypatch.setattr(module, "MAX_RESTORED_CHARS", 2 * len(ALICE))
    assert Restorer(known(("email", ALICE))).whole("[EMAIL-1]" * 3) == ALICE * 2 + "[EMAIL-1]"


def test_values_are_in_no_representation():
    assert ALICE not in repr(known(("email", ALICE)))


@pytest.mark.parametrize("escape", [verbatim, within_json], ids=["text", "json"])
def test_every_cut_gives_what_the_whole_text_gives(escape):
    pseudonyms = known(("email", ALICE), ("email", BOB), ("phone", "+1 555 0100"))
    text = "To: [EMAIL-2], cc [EMAIL-1][EMAIL-1]; [[PHONE-1]] [PHONE-2] [EMAIL-"
    whole = Restorer(pseudonyms, escape=escape).whole(text)
    assert escape(BOB) in whole
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            pieces = [text[:first], text[first:second], text[second:]]
            assert "".join(fed(Restorer(pseudonyms, escape=escape), pieces)) == whole
    assert "".join(fed(Restorer(pseudonyms, escape=escape), list(text))) == whole


@given(
    st.lists(st.sampled_from(["[", "]", "EMAIL", "-", "1", "2", "[EMAIL-1]", "x", "[E", "MAIL-1]", " "]), max_size=30)
)
def test_any_pieces_give_what_the_whole_text_gives(pieces):
    pseudonyms = known(("email", ALICE), ("email", BOB))
    left = fed(Restorer(pseudonyms), pieces)
    assert "".join(left) == Restorer(pseudonyms).whole("".join(pieces))
    run = Restored(Verbatim(), Restorer(pseudonyms))
    assert "".join([*run.feed_run(pieces), run.finish()]) == "".join(left)


@pytest.mark.parametrize(
    ("said", "waits"),
    [
        ("see [", "["),
        ("see [EM", "[EM"),
        ("see [EMAIL-1", "[EMAIL-1"),
        ("see [EMAIL-12", ""),
        ("see [PHONE", ""),
        ("see [E-", ""),
        ("see [EMAIL-1]", ""),
        ("see [1] [", "["),
        ("plain", ""),
    ],
)
def test_only_the_beginning_of_a_pseudonym_waits(said, waits):
    restorer = Restorer(known(("email", ALICE)))
    left = restorer.feed(said)
    assert said.replace("[EMAIL-1]", ALICE) == left + waits
    assert restorer.finish() == waits


def test_within_json_a_value_stays_one_string():
    restorer = Restorer(known(("name", BOB)), escape=within_json)
    assert json.loads(restorer.whole('{"to":"[NAME-1]!"}')) == {"to": f"{BOB}!"}
