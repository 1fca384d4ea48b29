# SPDX-License-Identifier: Apache-2.0
"""A page for people, as Markdown and as HTML: the same words, and nothing in them that either could take for markup.

Facts: names of models, reasons and principals come from clients and from sources that may lie. Control characters and
marks of direction are shown as escapes, as in CSV. The HTML has no script, no link and no reference to anything else.
"""

import html
import re
from dataclasses import dataclass
from typing import Final

from controlplane.exports.cells import visible

# What Markdown takes for markup within a line, what GitHub's makes links of, and what begins a block.
_MARKUP: Final = re.compile(
    r"[\\`*\[\]|~@]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])|:(?=//)|(?<=www)\.|^[#+=-]|(?<=^[0-9])[.)]",
    re.ASCII | re.IGNORECASE,
)
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#111;background:#fff}"
    "table{border-collapse:collapse;margin:1em 0;width:100%}th,td{border:1px solid #bbb;padding:.3em .6em;"
    "text-align:left;vertical-align:top;overflow-wrap:anywhere}th{background:#eee}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`empty` is said where there are no rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    empty: str = "None."
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    title: str
    paragraphs: tuple[str, ...]
    tables: tuple[Table, ...]


def to_markdown(page: Page) -> bytes:
    parts = [f"# {_marked(page.title)}", *map(_marked, page.paragraphs)]
    for table in page.tables:
        parts.append(f"## {_marked(table.title)}")
        if table.note:
            parts.append(_marked(table.note))
        if not table.rows:
            parts.append(_marked(table.empty))
            continue
        lines = [_row(table.columns), _row(["---"] * len(table.columns), plain=True), *map(_row, table.rows)]
        parts.append("\n".join(lines))
    return ("\n\n".join(parts) + "\n").encode()


def to_html(page: Page) -> bytes:
    title = _escaped(page.title)
    body = [f"<h1>{title}</h1>", *(f"<p>{_escaped(text)}</p>" for text in page.paragraphs)]
    for table in page.tables:
        body.append(f"<h2>{_escaped(table.title)}</h2>")
        if table.note:
            body.append(f"<p>{_escaped(table.note)}</p>")
        if not table.rows:
            body.append(f"<p>{_escaped(table.empty)}</p>")
            continue
        head = "".join(f"<th>{_escaped(column)}</th>" for column in table.columns)
        rows = "".join(f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in row)}</tr>\n" for row in table.rows)
        body.append(f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>")
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    ).encode()


def _row(cells: "tuple[object, ...] | list[str]", *, plain: bool = False) -> str:
    return "| " + " | ".join(str(cell) if plain else _marked(cell) for cell in cells) + " |"


def _marked(cell: object) -> str:
    # Entities rather than backslashes for what begins a tag, so that it begins none in whatever shows the file.
    return html.escape(_MARKUP.sub(r"\\\g<0>", _text(cell)), quote=False)


def _escaped(cell: object) -> str:
    return html.escape(_text(cell), quote=True)


def _text(cell: object) -> str:
    # A lone half of a surrogate pair, which no encoding takes, is a format character and so becomes an escape.
    return visible("" if cell is None else str(cell))
