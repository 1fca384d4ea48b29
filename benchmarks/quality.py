# SPDX-License-Identifier: Apache-2.0
"""What redaction finds, what it leaves, and what it takes for something: over the corpora, beside Presidio.

    python -m benchmarks.quality [--strict] [--no-peer] [--show TYPE]

A span of the corpus is *found* where a finding of its type overlaps it, *hidden* where findings of whatever type cover
all of it. A finding is right where a span of its type overlaps it. Presidio runs without a language model, so that its
recognisers of names and places, and the words of context that raise its scores, are left out.
`--show` prints what of a type was left or wrong, which is text of the corpora.

Among what is found in plain texts are true values, such as the telephone number of a registrar: they are counted like
all others, and the kinds of values are shown below each row, with 0 for each digit and a or A for each letter.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmarks.presidio_peer import presidio
from benchmarks.redaction_texts import english, own_code, own_pages, rows
from policies.redaction.engine import Redaction
from policies.redaction.examination import Asked, everything, examine, rules_of
from policies.redaction.findings import Tally

# Those types of the corpus that have a form; names, places, titles, ages and dates have none.
STRUCTURED = (
    *("CREDIT_CARD", "US_SSN", "IBAN_CODE", "EMAIL_ADDRESS", "PHONE_NUMBER", "IP_ADDRESS", "US_DRIVER_LICENSE"),
    *("MAC_ADDRESS", "CRYPTO", "URL", "DOMAIN_NAME"),
)
PII = ("pii/presidio_synth_v2", "pii/presidio_generated_large_sample")
ADDRESS = "EMAIL_ADDRESS"
SECRETS = "secrets/gitleaks"


class Span(NamedTuple):
    type: str
    start: int
    end: int

    def overlaps(self, other: "Span") -> bool:
        return self.start < other.end and other.start < self.end


# What one engine finds in each of some texts.
Engine = Callable[[Sequence[str]], list[list[Span]]]


@dataclass
class Score:
    spans: int = 0
    found: int = 0
    hidden: int = 0
    findings: int = 0
    right: int = 0
    left: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / self.findings if self.findings else float("nan")

    @property
    def recall(self) -> float:
        return self.found / self.spans if self.spans else float("nan")

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def gatehouse(*, strict: bool) -> Engine:
    active = rules_of(Redaction.of([everything(strict=strict)]), Asked())

    def findings(texts: Sequence[str]) -> list[list[Span]]:
        return [
            [Span(each.kind, each.start, each.end) for each in examine(active, text, Tally()).findings]
            for text in texts
        ]

    return findings


def covered(span: Span, findings: Iterable[Span]) -> bool:
    """Return whether all of a span is within findings of whatever type."""
    at = span.start
    for finding in sorted(findings, key=lambda each: each.start):
        if finding.start <= at:
            at = max(at, finding.end)
    return at >= span.end


def personal(engine: Engine) -> dict[str, Score]:
    labelled = [row for name in PII for row in rows(name)]
    texts = [str(row["text"]) for row in labelled]
    scores: dict[str, Score] = defaultdict(Score)
    for row, text, findings in zip(labelled, texts, engine(texts), strict=True):
        listed: Any = row["spans"]
        spans = [Span(each["type"], each["start"], each["end"]) for each in listed]
        for span in spans:
            score = scores[span.type]
            score.spans += 1
            score.hidden += covered(span, findings)
            if any(each.type == span.type and each.overlaps(span) for each in findings):
                score.found += 1
            else:
                score.left.append(text[max(0, span.start - 40) : span.end + 10])
        for finding in findings:
            score = scores[finding.type]
            score.findings += 1
            if any(each.type == finding.type and each.overlaps(finding) for each in spans):
                score.right += 1
            else:
                score.wrong.append(text[max(0, finding.start - 40) : finding.end + 10])
    return scores


def secret(engine: Engine) -> Score:
    """Return how many texts with a secret have a finding over it, and how many without one have a finding."""
    labelled = rows(SECRETS)
    texts = [str(row["text"]) for row in labelled]
    score = Score()
    for row, text, every in zip(labelled, texts, engine(texts), strict=True):
        findings = [each for each in every if each.type.startswith("secret.")]
        value = str(row["secret"] or "")
        start = text.find(value) if value else -1
        span = Span("", max(start, 0), start + len(value) if start >= 0 else len(text))
        if not row["positive"]:
            score.findings += bool(findings)
            if findings:
                score.wrong.append(f"{row['type']}: {text[:100]}")
            continue
        score.spans += 1
        score.hidden += covered(span, every)
        if any(each.overlaps(span) for each in findings):
            score.found += 1
            score.right += 1
            score.findings += 1
        else:
            score.left.append(f"{row['type']}: {text[:100]}")
    return score


def show_of(score: Score) -> None:
    for text in score.left:
        print(f"  left:  {text!r}")
    for text in score.wrong:
        print(f"  wrong: {text!r}")


class Plain(NamedTuple):
    """The size of some texts in megabytes, how many findings there are by type and by look, each with its context."""

    size: float
    kinds: Counter[str]
    looks: Counter[str]
    shown: list[str]


def findings_in(engine: Engine, texts: Sequence[str]) -> Plain:
    found = [
        (each.type, text[each.start : each.end], text[max(0, each.start - 30) : each.end + 10])
        for text, findings in zip(texts, engine(texts), strict=True)
        for each in findings
    ]
    size = sum(len(text.encode()) for text in texts) / 1e6
    return Plain(
        size=size,
        kinds=Counter(kind for kind, _, _ in found),
        looks=Counter(f"{kind} {masked(value)}" for kind, value, _ in found if kind != ADDRESS),
        shown=[f"{kind}: {shown!r}" for kind, _, shown in found],
    )


def masked(value: str) -> str:
    """Return what a value looks like, without what it is."""
    return "".join(
        "0" if each.isdigit() else "A" if each.isupper() else "a" if each.isalpha() else each for each in value
    )


def report(engines: dict[str, Engine], show: str | None) -> None:
    print("\nPersonal data, by type")
    print(f"{'':<28}{'spans':>7}{'precision':>11}{'recall':>9}{'F1':>7}{'hidden':>9}")
    for name, engine in engines.items():
        scores = personal(engine)
        for kind in STRUCTURED:
            score = scores[kind]
            if score.spans:
                print(
                    f"{name + ' ' + kind:<28}{score.spans:>7}{score.precision:>11.3f}{score.recall:>9.3f}"
                    f"{score.f1:>7.3f}{score.hidden / score.spans:>9.3f}"
                )
            if show == kind:
                print(
                    *(f"  left:  {each!r}" for each in score.left),
                    *(f"  wrong: {each!r}" for each in score.wrong),
                    sep="\n",
                )
        others = {kind: score.findings for kind, score in scores.items() if score.findings and not score.spans}
        print(f"{name}: of types that the corpus does not label: {others}")
    print("\nSecrets: texts with one that is found, and findings in texts without")
    for name, engine in engines.items():
        score = secret(engine)
        print(
            f"{name:<28}{score.spans:>7}{score.precision:>11.3f}{score.recall:>9.3f}{score.f1:>7.3f}"
            f"{score.hidden / max(score.spans, 1):>9.3f}"
        )
        if show == "secret":
            print(
                *(f"  left:  {each!r}" for each in score.left),
                *(f"  wrong: {each!r}" for each in score.wrong),
                sep="\n",
            )
    report_plain(engines, show)


def report_plain(engines: dict[str, Engine], show: str | None) -> None:
    print("\nFindings in a megabyte of what has none, or hardly any: an address there is an address")
    print(f"{'':<52}{'all':>10}{'without addresses':>20}")
    plain = {
        "prompts nobody means harm with": english(),
        "the pages of this repository": [path.read_text() for path in own_pages()],
        "its code, samples of detectors left out": [path.read_text() for path in own_code()],
    }
    for text_name, texts in plain.items():
        for name, engine in engines.items():
            size, kinds, looks, shown = findings_in(engine, texts)
            every, addresses = kinds.total(), kinds[ADDRESS]
            print(
                f"{text_name:<40}{name:<12}{every / size:>10.1f}{(every - addresses) / size:>20.1f}  "
                f"{dict(kinds.most_common(6))}"
            )
            if name == "Gatehouse":
                print(*(f"  {count}x {look}" for look, count in looks.most_common(12)), sep="\n")
            if show == "plain" and name == "Gatehouse":
                print(*(f"  {each}" for each in shown), sep="\n")


def main(*, strict: bool, peers: bool, show: str | None) -> None:
    engines = {"Gatehouse": gatehouse(strict=strict)}
    if not rows(SECRETS):
        print("no corpora: set GATEHOUSE_CORPORA to their folder; only plain texts are judged")
    with presidio() as peer:
        if peer is not None and peers:
            asked = peer
            engines["Presidio"] = lambda texts: [
                [Span(kind, start, end) for kind, start, end, _ in each] for each in asked.findings(texts)
            ]
        report(engines, show)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strict", action="store_true", help="leave what fails its check digit")
    parser.add_argument("--no-peer", action="store_true", help="leave Presidio out")
    parser.add_argument("--show", metavar="TYPE", help="a type of the corpus, `secret` or `plain`")
    given = parser.parse_args()
    main(strict=given.strict, peers=not given.no_peer, show=given.show)
