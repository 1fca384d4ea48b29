# SPDX-License-Identifier: Apache-2.0
"""A rule that another one leaves without effect: a denial over all it allows, or a rule that does the same and more."""

from collections.abc import Iterator, Mapping
from itertools import product

from policies.compiler.lints.lint import ANY, Lint, Linted
from policies.contracts.decision import Effect, Mode
from policies.contracts.prompts import PromptsPolicy
from policies.contracts.redaction import FieldClass
from policies.contracts.screening import ClassifierRule, ScreenEffect, ScreeningPolicy, ScreeningRule
from policies.contracts.snapshot import SEVERITY, AccessPolicy, RedactionPolicy, RedactionRule
from policies.contracts.tools import ANY_REST, ToolRule, ToolsPolicy
from policies.contracts.upstreams import UpstreamRule, UpstreamsPolicy
from policies.engines.grants import Row, rows_of
from policies.engines.groups import groups_by_member
from policies.redaction.selection import Selecting

CODE = "shadowed"
_Where = Mapping[tuple[str, str, str], tuple[str, str]]


def shadowed(linted: Linted) -> Iterator[Lint]:
    """Give the rules that change nothing, because of another."""
    yield from _grants(linted)
    for redaction in linted.snapshot.redactions:
        yield from _redactions(redaction)
    for tools in linted.snapshot.tools:
        yield from _tools(tools)
    for prompts in linted.snapshot.prompts:
        yield from _prompts(prompts)
    for screening in linted.snapshot.screening:
        yield from _screening(screening)
        yield from _classifier(screening)
    for upstreams in linted.snapshot.upstreams:
        yield from _upstreams(upstreams)


def _grants(linted: Linted) -> Iterator[Lint]:
    """A denial of any enforcing policy stands over every allow; beside that, a grant is repeated within its policy."""
    groups = groups_by_member(linted.snapshot)
    denied: dict[tuple[str, str, str], tuple[str, str]] = {}
    for access in linted.snapshot.access:
        # What ends of itself is no denial of all that is to come.
        lasting = [grant for grant in access.grants if grant.effect is Effect.DENY and grant.expires is None]
        if access.mode is Mode.ENFORCE:
            for row in rows_of(tuple(lasting)):
                denied.setdefault(row[:3], (access.id, row[-1]))
    for access in linted.snapshot.access:
        yield from _allows(access, denied, groups)


def _allows(access: AccessPolicy, denied: _Where, groups: Mapping[str, tuple[str, ...]]) -> Iterator[Lint]:
    allowed: dict[tuple[str, str, str], tuple[str, str]] = {}
    for number, grant in enumerate(access.grants):
        if grant.effect is Effect.DENY:
            continue
        rows = list(rows_of((grant,)))
        pointer = f"/spec/grants/{number}"
        if by := _covering_all(rows, denied, groups):
            yield _lint(access.id, pointer, grant.id, f"{by[1]!r} of {by[0]!r} denies all of it")
        elif by := _covering_all(rows, allowed, groups):
            yield _lint(access.id, pointer, grant.id, f"{by[1]!r} allows all of it")
        if grant.expires is None:
            for row in rows:
                allowed.setdefault(row[:3], (access.id, grant.id))


def _covering_all(rows: list[Row], by: _Where, groups: Mapping[str, tuple[str, ...]]) -> tuple[str, str] | None:
    """Return who covers the first of `rows`, where each of them is covered by some row of `by`."""
    first: tuple[str, str] | None = None
    for row in rows:
        found = _covering(row, by, groups)
        if found is None:
            return None
        first = first or found
    return first


def _covering(row: Row, by: _Where, groups: Mapping[str, tuple[str, ...]]) -> tuple[str, str] | None:
    """Return the policy and grant of a row among `by` that matches whatever `row` does, None where there is none."""
    subject, resource, action, _, _ = row
    subjects = dict.fromkeys((subject, *(f"group:{name}" for name in groups.get(subject, ())), ANY))
    resources = dict.fromkeys((resource, f"{resource.partition(':')[0]}:*"))
    keys = ((of, what, doing) for of in subjects for what in resources for doing in dict.fromkeys((action, ANY)))
    return next((by[key] for key in keys if key in by), None)


def _redactions(policy: RedactionPolicy) -> Iterator[Lint]:
    for number, rule in enumerate(policy.rules):
        for earlier, other in enumerate(policy.rules):
            stronger = SEVERITY[other.action] > SEVERITY[rule.action]
            alike = _act_alike(other, rule) and earlier < number
            if earlier != number and (stronger or alike) and _selects_all_of(other, rule):
                why = f"{other.id!r} does {other.action} to all that it finds"
                yield _lint(policy.id, f"/spec/rules/{number}", rule.id, why)
                break


def _act_alike(one: RedactionRule, other: RedactionRule) -> bool:
    return (one.action, one.keep_last, one.reversible) == (other.action, other.keep_last, other.reversible)


def _selects_all_of(wide: RedactionRule, narrow: RedactionRule) -> bool:
    lists = ("operations", "models", "subjects", "fields")
    return (
        set(narrow.detectors) <= set(wide.detectors)
        and set(narrow.directions) <= set(wide.directions)
        and all(_within(getattr(narrow, name), getattr(wide, name)) for name in lists)
        and (wide.strictness is narrow.strictness)
    )


def _tools(policy: ToolsPolicy) -> Iterator[Lint]:
    denying = [rule for rule in policy.rules if rule.effect is Effect.DENY and not (rule.arguments or rule.patterns)]
    for number, rule in enumerate(policy.rules):
        if rule.effect is Effect.ALLOW:
            over = next((other for other in denying if _takes_all_of(other, rule)), None)
            if over is not None:
                yield _lint(policy.id, f"/spec/rules/{number}", rule.id, f"{over.id!r} denies all of it")


def _takes_all_of(wide: ToolRule, narrow: ToolRule) -> bool:
    return (
        all(any(_means(other, tool) for other in wide.tools) for tool in narrow.tools)
        and (ANY in wide.subjects or set(narrow.subjects) <= set(wide.subjects))
        and _within(narrow.operations, wide.operations)
        and _within(narrow.models, wide.models)
    )


def _prompts(policy: PromptsPolicy) -> Iterator[Lint]:
    """Of the rules for system prompts the first that selects a request counts."""
    for number, rule in enumerate(policy.rules):
        over = next((other for other in policy.rules[:number] if _selected_within(rule, other)), None)
        if over is not None:
            yield _lint(policy.id, f"/spec/rules/{number}", rule.id, f"{over.id!r} comes first for all of it")


def _screening(policy: ScreeningPolicy) -> Iterator[Lint]:
    for number, rule in enumerate(policy.rules):
        for earlier, other in enumerate(policy.rules):
            # Of two that are the same, the later one is told.
            if (
                earlier != number
                and _finds_all_of(other, rule)
                and (earlier < number or not _finds_all_of(rule, other))
            ):
                does = "denies" if other.effect is ScreenEffect.DENY else "flags"
                yield _lint(policy.id, f"/spec/rules/{number}", rule.id, f"{other.id!r} {does} all that it finds")
                break


def _classifier(policy: ScreeningPolicy) -> Iterator[Lint]:
    """A rule is without effect beside one that does the same from the same score on, or a lower one."""
    for number, rule in enumerate(policy.classifier):
        for earlier, other in enumerate(policy.classifier):
            same = _scores_all_of(rule, other)
            if earlier != number and _scores_all_of(other, rule) and (earlier < number or not same):
                does = "denies" if other.effect is ScreenEffect.DENY else "flags"
                why = f"{other.id!r} {does} all that it finds"
                yield _lint(policy.id, f"/spec/classifier/{number}", rule.id, why)
                break


def _scores_all_of(wide: ClassifierRule, narrow: ClassifierRule) -> bool:
    # With other classes of texts, others are joined: the narrow one may find what the wide one does not.
    thresholds = [(wide.threshold_of(each), narrow.threshold_of(each)) for each in FieldClass]
    return (
        (wide.effect, wide.reason) == (narrow.effect, narrow.reason)
        and all((one is None) is (other is None) for one, other in thresholds)
        and all(one <= other for one, other in thresholds if one is not None and other is not None)
        and _selected_within(narrow, wide)
    )


def _finds_all_of(wide: ScreeningRule, narrow: ScreeningRule) -> bool:
    phrases, others = ({phrase.casefold() for phrase in rule.phrases} for rule in (narrow, wide))
    return (
        (wide.effect, wide.reason) == (narrow.effect, narrow.reason)
        and phrases <= others
        and set(narrow.expressions) <= set(wide.expressions)
        and _within(narrow.fields, wide.fields)
        and _selected_within(narrow, wide)
    )


def _selected_within(narrow: Selecting, wide: Selecting) -> bool:
    return all(_within(getattr(narrow, name), getattr(wide, name)) for name in ("operations", "models", "subjects"))


def _upstreams(policy: UpstreamsPolicy) -> Iterator[Lint]:
    """What an earlier entry has in the same words is an error of the document; here it has it by a wildcard."""
    for number, entry in enumerate(policy.upstreams):
        pairs = product(entry.operations or ("",), entry.models or ("",))
        takers = [_taker(operation, model, policy.upstreams[:number]) for operation, model in pairs]
        if all(takers):
            yield _lint(policy.id, f"/spec/upstreams/{number}", entry.name, f"{takers[0]!r} takes all of it before")


def _taker(operation: str, model: str, earlier: tuple[UpstreamRule, ...]) -> str:
    """Return the first entry that is for all such requests. Empty: of every operation, and of every model or none."""
    for entry in earlier:
        # `*` means every model, and is for no request that names none.
        of_models = not entry.models or (bool(model) and ANY in entry.models) or model in entry.models
        if of_models and (not entry.operations or ANY in entry.operations or operation in entry.operations):
            return entry.name
    return ""


def _means(wide: str, narrow: str) -> bool:
    return narrow.startswith(wide[:-1]) if wide.endswith(ANY_REST) else narrow == wide


def _within(narrow: tuple[str, ...], wide: tuple[str, ...]) -> bool:
    """Whether a selector that is empty for all selects no more than another."""
    return not wide or ANY in wide or (bool(narrow) and set(narrow) <= set(wide))


def _lint(policy: str, pointer: str, rule: str, why: str) -> Lint:
    fix = "Remove one of the two, or narrow the other."
    return Lint(code=CODE, policy=policy, pointer=pointer, message=f"{rule!r} has no effect: {why}.", fix=fix)
