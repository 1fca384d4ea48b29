# SPDX-License-Identifier: Apache-2.0
import contextlib

import pytest
import yaml

from policies.document import yaml_events as module
from policies.document.yaml_events import yaml_events


def test_a_plain_text_is_read_by_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    given = _loaders(monkeypatch, "a: [b, 'c']\n")

    assert given[-1] is yaml.CSafeLoader


@pytest.mark.parametrize("text", ["a:\tb\n", "{a?b: c}\n", "a: |#\n  x\n", "a: {b: , c: d}\n", 'a: "\\ud83d\\ude00"\n'])
def test_what_the_two_read_otherwise_is_read_by_pyyaml(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    given = _loaders(monkeypatch, text)

    assert given[-1] is yaml.SafeLoader


def _loaders(monkeypatch: pytest.MonkeyPatch, text: str) -> list[object]:
    given: list[object] = []
    parse = yaml.parse

    def noting(stream: str, Loader: type[yaml.SafeLoader]) -> object:  # noqa: N803  # PyYAML's own name
        given.append(Loader)
        return parse(stream, Loader=Loader)

    monkeypatch.setattr(module.yaml, "parse", noting)
    with contextlib.suppress(yaml.YAMLError):
        list(yaml_events(text))
    return given
