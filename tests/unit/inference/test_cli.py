# SPDX-License-Identifier: Apache-2.0
import re
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from inference.cli import main

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "inference.md"


def test_the_reference_has_every_option_of_serve():
    listed = set(re.findall(r"`(--[a-z-]+)", REFERENCE.read_text()))
    command = main.commands["serve"]
    options = {name for each in command.params if isinstance(each, click.Option) for name in each.opts}
    assert sorted(options - listed) == []
    table = REFERENCE.read_text().partition("## Options of `serve`")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`--.*?) \|", table, re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"(--[a-z-]+)", row)}
    every = options | {
        name for each in command.params if isinstance(each, click.Option) for name in each.secondary_opts
    }
    assert sorted(told - every) == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param(["--port", "0", "--insecure-loopback"], "no model: give --model NAME=DIR", id="no-model"),
        pytest.param(["--model", "a=b"], "nowhere to listen", id="nowhere"),
    ],
)
def test_a_wrong_command_line_is_refused_before_anything_is_loaded(options, text):
    refused = CliRunner().invoke(main, ["serve", *options])
    assert (refused.exit_code, text in refused.output) == (2, True)


def test_without_the_group_inference_the_command_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "inference.server", raising=False)
    # None stands for a module that is not there.
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    refused = CliRunner().invoke(main, ["serve", "--screen", "--port", "0", "--insecure-loopback"])
    assert (refused.exit_code, refused.output.count("\n")) == (2, 1)
    assert "uvicorn is not installed" in refused.output
    assert "--group inference" in refused.output
