# SPDX-License-Identifier: Apache-2.0
"""Cases 65 and 66: policies that undo others, and approvals that are none."""

from http import HTTPStatus
from typing import Any, Final

from conformance.case import Case
from conformance.scratch import RELEASES, Check, Scratch, Wrong, codes_in, expect

ROUTES: Final = """\
kind: routes
id: conformance-routes
version: "1"
spec:
  routes:
    - {id: chat, method: POST, path: /v1/chat/completions, operation: chat.completions, dialect: openai.chat}
"""
ALLOWS: Final = """\
kind: access
id: conformance-allows
version: "1"
spec:
  grants:
    - {id: ann, effect: allow, subjects: ["user:ann"], models: [parrot], operations: [chat.completions]}
"""
DENIES: Final = """\
kind: access
id: conformance-denies
version: "1"
spec:
  grants:
    - {id: nobody, effect: deny, subjects: ["*"], models: ["*"], operations: ["*"]}
"""
_EMPTY: Final = """\
kind: access
id: conformance-empty
version: "1"
spec:
  groups: {staff: []}
  grants:
    - {id: staff, effect: allow, subjects: ["group:staff"], models: [parrot], operations: [chat.completions]}
"""
_OVERLAPPING: Final = """\
kind: access
id: conformance-overlapping
version: "1"
spec:
  grants:
    - {id: one, effect: EFFECT, subjects: ["user:ann"], models: [parrot], operations: [chat.completions]}
    - {id: two, effect: OTHER, subjects: ["user:ann"], models: [parrot], operations: [chat.completions]}
"""
_ALLOW_FIRST: Final = _OVERLAPPING.replace("EFFECT", "allow").replace("OTHER", "deny")
_DENY_FIRST: Final = _OVERLAPPING.replace("EFFECT", "deny").replace("OTHER", "allow")
_TEST: Final = """\
tests:
  - name: ann asks
    request: {subject: user:ann, operation: chat.completions, model: parrot}
    expect: {effect: EFFECT}
"""


def _lint(code: str, source: str) -> Check:
    def attack(tenant: Scratch) -> None:
        told = tenant.validated(source)
        if code not in codes_in(told["warnings"]) | codes_in(told["diagnostics"]):
            raise Wrong(f"nothing says {code}")

    return Check(slug=f"told: {code}", attack=attack)


def _no_lint(tenant: Scratch) -> None:
    told = tenant.validated(ROUTES, ALLOWS)
    if not told["valid"] or told["warnings"]:
        raise Wrong("policies with nothing to tell of are warned of or refused")


def _effect(slug: str, effect: str, *sources: str) -> Check:
    """Return a check that ann is answered `effect` under `sources`, and that their tests are not just waved through."""

    def attack(tenant: Scratch) -> None:
        other = "allow" if effect == "deny" else "deny"
        for expected, passes in ((effect, 1), (other, 0)):
            told = tenant.tried(ROUTES, sources[0] + _TEST.replace("EFFECT", expected), *sources[1:])
            if not told["compiled"] or (told["passed"], told["failed"]) != (passes, 1 - passes):
                raise Wrong(f"a test that expects {expected} {'fails' if passes else 'passes'}")

    return Check(slug=slug, attack=attack)


def _tried_release(tenant: Scratch) -> None:
    author, environment = tenant.somebody("author"), tenant.environment()
    tenant.keep(author, (ROUTES, ALLOWS))
    before = tenant.ask("GET", RELEASES, author).json()["items"]
    body = {"environment": environment}
    tenant.keep(author, (DENIES,))
    told = expect(tenant.ask("POST", f"{RELEASES}?validate_only=true", author, body), HTTPStatus.OK)
    _remove(tenant, author, "conformance-denies")
    if "denies-everything" not in codes_in(told["warnings"]):
        raise Wrong("a release that denies everything is tried, and nothing says so")
    if tenant.ask("GET", RELEASES, author).json()["items"] != before:
        raise Wrong("a release that was only tried is kept")


def _remove(tenant: Scratch, author: str, policy: str) -> None:
    current = tenant.ask("GET", f"/v1/policies/{policy}", author).headers.get("ETag", "")
    expect(tenant.ask("DELETE", f"/v1/policies/{policy}", author, if_match=current), HTTPStatus.NO_CONTENT)


def _four_eyes(tenant: Scratch) -> None:
    author, release = _released(tenant)
    expect(tenant.activate(author, release), HTTPStatus.FORBIDDEN)
    _not_in_force(tenant, release)


def _released(tenant: Scratch, *, author: str | None = None, version: str = "1", **rules: Any) -> tuple[str, Any]:
    author = author or tenant.somebody("author")
    changed = ALLOWS.replace('version: "1"', f'version: "{version}"')
    # A text that was there before is no revision: another author's is one in any case.
    tenant.keep(author, (ROUTES, changed + f"# {author[-8:]}\n"))
    return author, tenant.release(author, tenant.environment(**rules))


def _not_in_force(tenant: Scratch, release: Any) -> None:
    path = f"/v1/environments/{release['environment']}"
    told = expect(tenant.ask("GET", path, tenant.somebody("auditor")), HTTPStatus.OK)
    if told["serial"] != 0:
        raise Wrong("what was refused is in force")


def _own(tenant: Scratch) -> None:
    author, release = _released(tenant, approver_roles=["author", "approver"])
    expect(tenant.approve(author, release), HTTPStatus.FORBIDDEN, "own-release")
    _not_in_force(tenant, release)


def _own_as_another(tenant: Scratch) -> None:
    _, release = _released(tenant, author=tenant.somebody("author", person="ann@conformance.example"))
    same = tenant.somebody("approver", person="ann@conformance.example")
    expect(tenant.approve(same, release), HTTPStatus.FORBIDDEN, "own-release")
    expect(tenant.activate(same, release), HTTPStatus.FORBIDDEN, "own-release")
    _not_in_force(tenant, release)
    # Whoever else makes the release: the revision in it is theirs.
    theirs = tenant.release(tenant.somebody("author"), release["environment"])
    expect(tenant.activate(same, theirs), HTTPStatus.FORBIDDEN, "own-release")


def _edited(tenant: Scratch) -> None:
    author, release = _released(tenant, approvals_required=2)
    first, second = tenant.somebody("approver"), tenant.somebody("approver")
    expect(tenant.approve(first, release), HTTPStatus.CREATED)
    tenant.keep(author, (ALLOWS.replace("user:ann", "user:eve"),))
    changed = tenant.release(author, release["environment"])
    if changed["revision"] == release["revision"]:
        raise Wrong("another text has the same revision")
    expect(tenant.approve(first, changed, revision=release["revision"]), HTTPStatus.CONFLICT, "revision-differs")
    expect(tenant.activate(second, changed), HTTPStatus.CONFLICT, "approvals-missing")
    _not_in_force(tenant, changed)


def _elsewhere(tenant: Scratch) -> None:
    author, release = _released(tenant, approvals_required=2)
    first, second = tenant.somebody("approver"), tenant.somebody("approver")
    expect(tenant.approve(first, release), HTTPStatus.CREATED)
    other = tenant.release(author, tenant.environment(approvals_required=2))
    environment = release["environment"]
    expect(tenant.approve(first, other, environment=environment), HTTPStatus.CONFLICT, "environment-differs")
    expect(tenant.activate(second, other), HTTPStatus.CONFLICT, "approvals-missing")
    _not_in_force(tenant, other)


def _twice_as_two(tenant: Scratch) -> None:
    _, release = _released(tenant, approvals_required=2)
    first, same = (tenant.somebody("approver", person="bob@conformance.example") for _ in range(2))
    expect(tenant.approve(first, release), HTTPStatus.CREATED)
    expect(tenant.approve(same, release), HTTPStatus.CONFLICT, "approval-given")
    expect(tenant.activate(same, release), HTTPStatus.CONFLICT, "approvals-missing")
    _not_in_force(tenant, release)


def _sent_again(tenant: Scratch) -> None:
    author, release = _released(tenant, approvals_required=2)
    first = tenant.somebody("approver")
    expect(tenant.approve(first, release), HTTPStatus.CREATED)
    expect(tenant.approve(first, release), HTTPStatus.CONFLICT, "approval-given")
    told = expect(tenant.ask("GET", f"{RELEASES}/{release['id']}/approvals", author), HTTPStatus.OK)
    if len(told["items"]) != 1 or len(told["standing"]["approved_by"]) != 1:
        raise Wrong("an approval that was sent again counts again")
    expect(tenant.activate(first, release), HTTPStatus.CONFLICT, "approvals-missing")


def _activated_again(tenant: Scratch) -> None:
    _, release = _released(tenant)
    approver = tenant.somebody("approver")
    expect(tenant.activate(approver, release, if_match='"0"'), HTTPStatus.CREATED)
    expect(tenant.activate(approver, release, if_match='"0"'), HTTPStatus.PRECONDITION_FAILED)


def _withdrawn(tenant: Scratch) -> None:
    _, release = _released(tenant, approvals_required=2)
    first, second = tenant.somebody("approver"), tenant.somebody("approver")
    given = expect(tenant.approve(first, release), HTTPStatus.CREATED)
    path = f"{RELEASES}/{release['id']}/approvals/{given['id']}:withdraw"
    expect(tenant.ask("POST", path, first), HTTPStatus.OK)
    expect(tenant.activate(second, release), HTTPStatus.CONFLICT, "approvals-missing")


def _two_others(tenant: Scratch) -> None:
    _, release = _released(tenant, approvals_required=2)
    first, second = tenant.somebody("approver"), tenant.somebody("approver")
    expect(tenant.approve(first, release), HTTPStatus.CREATED)
    expect(tenant.activate(second, release), HTTPStatus.CREATED)


MAKING_CASES: Final = (
    Case(
        number=65,
        title="A policy that undoes others is told, takes four eyes, and a denial holds whatever else allows",
        checks=(
            _lint("denies-everything", DENIES),
            _lint("nobody-has-it", _EMPTY),
            _lint("overlapping", _ALLOW_FIRST),
            Check(slug="told of a release that is only tried", attack=_tried_release),
            _effect("a denial behind an allowance", "deny", _ALLOW_FIRST),
            _effect("a denial before an allowance", "deny", _DENY_FIRST),
            _effect("a denial in another policy", "deny", ALLOWS, DENIES),
            _effect("an empty list of those who may", "deny", _EMPTY),
            Check(slug="an author alone", attack=_four_eyes),
            Check(slug="sibling: nothing to tell of", attack=_no_lint),
            _effect("sibling: an allowance alone", "allow", ALLOWS),
        ),
    ),
    Case(
        number=66,
        title="Nobody approves an own change, nor anything but what they saw, nor twice",
        checks=(
            Check(slug="an author approves", attack=_own),
            Check(slug="an author approves as another principal", attack=_own_as_another),
            Check(slug="an approval of what was edited since", attack=_edited),
            Check(slug="an approval of another environment", attack=_elsewhere),
            Check(slug="one person as two approvers", attack=_twice_as_two),
            Check(slug="an approval sent again", attack=_sent_again),
            Check(slug="an approval that was withdrawn", attack=_withdrawn),
            Check(slug="an activation sent again", attack=_activated_again),
            Check(slug="sibling: two others", attack=_two_others),
        ),
    ),
)
