# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest

from policies.detectors.catalogue import Catalogue, own_name

CATALOGUE = Catalogue(
    SimpleNamespace(name=name, group=group)
    for name, group in (
        ("email", "contact"),
        ("aws-key", "secrets-cloud"),
        ("token", "secrets"),
        ("secret-shape", "secretsauce"),
        ("contact", "phone"),
        ("mine/badge", ""),
        ("mine/email", ""),
        ("theirs/badge", ""),
        ("person", "presidio"),
    )
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        pytest.param("aws-key", ["aws-key"], id="a-detector"),
        pytest.param("secrets-cloud", ["aws-key"], id="a-group"),
        pytest.param("secrets", ["aws-key", "token"], id="groups-that-begin-with-its-words"),
        pytest.param("secret", [], id="half-a-word-of-a-group"),
        pytest.param("contact", ["contact"], id="a-detector-before-a-group"),
        pytest.param("badge", ["mine/badge"], id="of-its-own"),
        pytest.param("email", ["mine/email"], id="of-its-own-before-ours"),
        pytest.param("theirs/badge", [], id="of-another-policy"),
        pytest.param("mine/badge", [], id="as-it-is-reported"),
        pytest.param("", [], id="nothing"),
        pytest.param(
            "all",
            ["email", "aws-key", "token", "secret-shape", "contact", "mine/badge", "mine/email"],
            id="all-but-those-of-others-and-those-to-be-asked-for",
        ),
        pytest.param("person", ["person"], id="what-all-does-not-have"),
        pytest.param("presidio", ["person"], id="the-group-that-all-does-not-have"),
    ],
)
def test_what_a_rule_means_by_a_name(said, meant):
    assert list(CATALOGUE.named(said, policy="mine")) == meant


def test_another_policy_means_other_detectors():
    assert CATALOGUE.named("badge", policy="theirs") == (own_name("theirs", "badge"),)
    assert CATALOGUE.named("email", policy="theirs") == ("email",)


def test_what_can_be_said_has_nothing_of_other_policies():
    assert CATALOGUE.sayable(policy="theirs") == (
        *("all", "aws-key", "badge", "contact", "email", "person", "phone", "presidio", "secret-shape"),
        *("secrets", "secrets-cloud", "secretsauce", "token"),
    )
    assert all(CATALOGUE.named(name, policy="theirs") for name in CATALOGUE.sayable(policy="theirs"))


def test_a_name_that_is_nearly_right_is_suggested():
    assert CATALOGUE.nearest("emial", policy="mine") == ("email",)
    assert CATALOGUE.nearest("zzz", policy="mine") == ()
