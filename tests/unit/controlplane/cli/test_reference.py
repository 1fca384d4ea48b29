# SPDX-License-Identifier: Apache-2.0
"""`docs/reference/cli.md` is what the command says of itself: `--update-golden` writes it."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from controlplane.cli.main import main

PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "cli.md"
HEAD = """\
# The `gatehouse` command

This page is made from the command itself. Every command that prints results takes `--json`; then standard output has
JSON alone, also where the API refused: its problem details. `redact` is a filter, and has `--jsonl`.

| exit code | |
| --- | --- |
| 0 | done |
| 1 | refused, or failed: standard error says why |
| 2 | wrong usage |
| 3 | nothing answers: no control plane, or no Gatehouse that runs in this home |

A command acts as the role that its job belongs to, with that role's token in `credentials.json` of the home.

| variable | |
| --- | --- |
| `GATEHOUSE_HOME` | the home; `.gatehouse` in this folder unless set |
| `GATEHOUSE_API_URL`, `GATEHOUSE_TOKEN` | the control plane's origin and a token, instead of those in the home |
| `GATEHOUSE_OPA_BINARY` | the OPA that `run` starts and that `policy validate` and `policy test` ask; else the one on the PATH, else the one kept in `.tools` |
| `COLUMNS` | how wide tables may be, where the terminal does not say; without either, rows are never broken |

In tables a revision is shortened to twelve digits and a time to the second. Where a table does not fit, each row is a
block of lines.
"""


def test_the_page_is_what_the_command_says(update_golden):
    page = HEAD + "".join(sections(main, "gatehouse"))
    if update_golden:
        PAGE.write_text(page)
    assert page == PAGE.read_text()


def sections(group: click.Group, path: str) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield section(command, f"{path} {name}")
        if isinstance(command, click.Group):
            yield from sections(command, f"{path} {name}")


def section(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path)
    given = [each for each in command.params if isinstance(each, click.Option)]
    usage = " ".join(command.collect_usage_pieces(context))
    rows = "".join(row(each, context) for each in given)
    table = f"\n| option | |\n| --- | --- |\n{rows}" if rows else ""
    return f"\n## `{path}`\n\n```\n{path} {usage}\n```\n\n{inspect.cleandoc(command.help or '')}\n{table}"


def row(option: click.Option, context: click.Context) -> str:
    names, _ = option.get_help_record(context) or ("", "")
    extra = [f"default `{option.default}`"] if option.show_default and option.default is not None else []
    extra += [f"or `{option.envvar}`"] if isinstance(option.envvar, str) else []
    words = "; ".join([*filter(None, [(option.help or "").rstrip(".")]), *extra])
    return f"| `{names}` | {words} |\n".replace("[opa|embedded]", "opa or embedded")
