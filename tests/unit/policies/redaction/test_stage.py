# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.email import EmailAddress
from policies.detectors.private_key_header import PrivateKeyHeader
from policies.redaction.findings import AnswerBlocked, AppliedRule, Tally
from policies.redaction.stage import DetectorRules, stage_of
from tests.streams import EMAIL


def rule(action: str) -> AppliedRule:
    return AppliedRule(detector="email", policy="policy", rule="rule", action=action)


def email(action: str | None, *observing: AppliedRule) -> DetectorRules:
    deciding = None if action is None else rule(action)
    return DetectorRules(detector=EmailAddress(), place=0, deciding=deciding, observing=observing)


def test_a_stage_replaces_holds_and_counts():
    tally = Tally()
    stage = stage_of(email("replace", rule("observe")), tally)
    assert (stage.feed("to alice@exam"), stage.held) == ("to ", "alice@exam")
    assert (stage.feed("ple.com. So"), stage.held) == ("[redacted:email]. ", "So")
    assert stage.finish() == "So"
    assert ([found.action for found in tally.findings], tally.total) == (["observe", "replace"], 2)


def test_a_stage_blocks():
    with pytest.raises(AnswerBlocked):
        stage_of(email("block"), Tally()).whole(EMAIL)


def test_a_lookout_lets_pass_and_counts():
    tally = Tally()
    stage = stage_of(email(None, rule("warn")), tally)
    assert (stage.feed("to alice@exam"), stage.feed("ple.com"), stage.finish()) == ("to alice@exam", "ple.com", "")
    assert (stage_of(email(None, rule("warn")), tally).whole(EMAIL), tally.total) == (EMAIL, 2)


def test_what_was_seen_before_is_only_looked_at_and_kept_as_far_as_told():
    stage = stage_of(email("replace"), Tally(), before="x@", reach=3)
    assert (stage.feed("b.co a "), stage.seen, stage.held) == ("b.co a ", " a ", "")


class _Unasked(EmailAddress):
    def scan(self, text, start, *, final):
        raise AssertionError("it was asked already")


def test_what_the_detector_said_already_is_not_asked_again():
    text = "x to alice@example.com, bob"
    scan = EmailAddress().scan(text, 2, final=False)
    stage = stage_of(DetectorRules(detector=_Unasked(), place=0, deciding=rule("replace")), Tally(), before="x ")
    assert (stage.feed(text[2:], scan=scan), stage.held) == ("to [redacted:email], ", "bob")


def test_behind_an_opening_that_was_said_already_the_detector_is_asked():
    text = "-----BEGIN PRIVATE KEY-----x-----END PRIVATE KEY----- a -----BEGIN PRIVATE KEY-----y"
    rules = DetectorRules(detector=PrivateKeyHeader(), place=0, deciding=rule("replace"))
    stage = stage_of(rules, Tally())
    left = stage.feed(text, scan=PrivateKeyHeader().scan(text, 0, final=False))
    assert (left, stage.inside) == ("[redacted:private-key-header] a [redacted:private-key-header]", True)


def test_a_stage_is_inside_a_finding_until_its_end():
    rules = DetectorRules(detector=PrivateKeyHeader(), place=0, deciding=rule("replace"))
    stage = stage_of(rules, Tally())
    assert stage.feed("a -----BEGIN PRIVATE KEY-----x") == "a [redacted:private-key-header]"
    assert stage.inside
    assert stage.feed("y-----END PRIVATE KEY----- b") == " b"
    assert not stage.inside


@pytest.mark.parametrize(("action", "blocks"), [("block", True), ("replace", False), (None, False)])
def test_rules_say_whether_they_block(action, blocks):
    assert blocks is email(action).blocks
