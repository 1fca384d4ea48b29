# SPDX-License-Identifier: Apache-2.0
"""The command itself: finds its subcommands by entry point, so that a host needs only the roles it has."""

from importlib.metadata import EntryPoint, entry_points, version
from typing import Final

import click

_GROUP: Final = "gatehouse.commands"


class Subcommands(click.Group):
    """The installed subcommands, each imported when it is called and not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 # click's signature
        return sorted(_installed())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 # as above
        found = _installed().get(cmd_name)
        if found is None:
            return None
        try:
            loaded: click.Command = found.load()
        except ModuleNotFoundError as exc:
            return _unavailable(cmd_name, str(exc.name))
        return loaded


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUP)}


def _unavailable(name: str, missing: str) -> click.Command:
    text = f"Not available here: it needs the module {missing!r}. Install the role it belongs to (see the README)."

    @click.command(name, short_help=text, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
    def command() -> None:
        raise click.ClickException(text)

    return command


@click.group(cls=Subcommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("gatehouse"), prog_name="gatehouse")
def main() -> None:
    """Policy and compliance for AI inference: write policies, put them to work, ask what was decided."""
