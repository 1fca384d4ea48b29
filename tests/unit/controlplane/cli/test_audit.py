# SPDX-License-Identifier: Apache-2.0
"""The group finds its commands."""

from click.testing import CliRunner

from controlplane.cli.audit import COMMANDS, audit


def test_every_command_of_the_group_can_be_asked_for_help():
    for name in COMMANDS:
        answered = CliRunner().invoke(audit, [name, "--help"])
        assert (answered.exit_code, f"audit {name}" in answered.output) == (0, True)


def test_a_command_that_is_not_there_is_wrong_usage():
    assert CliRunner().invoke(audit, ["nothing"]).exit_code == 2
