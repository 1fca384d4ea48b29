# SPDX-License-Identifier: Apache-2.0
"""`docs/reference/conformance.md` lists the cases that there are: `--update-golden` writes it."""

from pathlib import Path

from conformance.cases import CASES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "conformance.md"
HEAD = """\
# Conformance cases

What [`gatehouse conformance`](cli.md) sends, by number; [how to run it](../how-to/prove-your-gateway.md). A row is one attempt;
rows about framing are sent whole and, without TLS, split at the end of their head and byte by byte.

A row passes where all of this holds:

* A refusal has the status, and from Gatehouse the `error.code`, that the row names. Another gateway may refuse with any client error,
  501 or 505, or end the connection.
* Nothing arrived upstream for a refused request, where a recording upstream watches. For one that was passed on, what arrived has one
  reading: one request, and nothing of what the row hid in it.
* There is one answer for each request, in order, and the connection ends where the next message could not be found.
* No answer tells what the upstream said of itself, and none that broke off looks whole.
* A secret that an answer held is in no text that a client can put together from it: by events, fields, choices, tokens or bytes.
* In what an auditor gets of a hostile request, by the API, as a table, as lines and as pages, none of it is a line of its own, an escape of a
  terminal, a formula or markup, and the request has one terminal record. A harmless text stands there as it is.
* Of an altered archive of the log, `gatehouse audit verify` says rightly whether integrity and completeness hold, each by itself.
  Whoever alters it here also writes manifest, indexes and hashes anew, and once signs it with another key.
* In a tenant of its own, a control plane refuses what would undo four eyes, and policies that reach outside or that are none; what takes for
  ever ends as a refusal while others are answered; what harms nobody is taken.

| verdict | |
| --- | --- |
| `pass` | every row that could be run is as it should be |
| `fail` | at least one is not; it is named with what was seen |
| `skip` | no row could be run here: it needs TLS, the recording upstream, the log's API, an operator's token, a gateway that knows the canary or one that screens prompts, or the case is not in this suite yet |

Of the JSON, `gateway` is `gatehouse` or `other`, `upstream_watched` tells whether arrivals were checked, `rows` counts verdicts, and
`cases[].rows[]` hold `row`, `cut`, `verdict`, `seen`, `problem` and `elapsed_s`.

With `--api`, `--operator-token-file` runs cases 65, 66 and 70, and `--api-token-file` 67 and 68; without it they are skipped.

| case | what is shown | rows |
| --- | --- | --- |
"""


def test_the_page_lists_the_cases(update_golden):
    page = HEAD + "".join(f"| {case.number} | {case.title} | {case.count or f'– ({case.where})'} |\n" for case in CASES)
    if update_golden:
        PAGE.write_text(page)
    assert page == PAGE.read_text()
