# SPDX-License-Identifier: Apache-2.0
"""`gatehouse audit`: what an auditor does with the log. A command is one line in COMMANDS, and a module of its own."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

import click

# Imported when called: `verify` and `witness` need nothing of a control plane, and run on machines that have none.
COMMANDS: Final[Mapping[str, str]] = {
    "checkpoint": "controlplane.cli.audit_checkpoint",
    "fsck": "controlplane.cli.audit_fsck",
    "prove": "controlplane.cli.audit_prove",
    "verify": "controlplane.cli.audit_verify",
    "witness": "controlplane.cli.audit_witness",
}


class AuditCommands(click.Group):
    """The commands of the group, each imported when it is called and not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 # click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 # as above
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=AuditCommands)
def audit() -> None:
    """Verify the log and its archives, witness it, prove what is in it."""
