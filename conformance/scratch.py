# SPDX-License-Identifier: Apache-2.0
"""A tenant of its own for attacks on how policy is made: nothing of the gateway under test is touched.

Theory: a check acts as authors and approvers of that tenant would, through the public API, and raises Wrong with what
it saw. Each four-eyes check has an environment of its own, so that no release or rule of another is in its way.
"""

import itertools
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import httpx

RELEASES: Final = "/v1/policy-sets/default/releases"
_IMPORT_WITHIN_S: Final = 60


class Wrong(Exception):
    """The control plane lets an attack pass, or refuses what harms nobody."""


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """The control plane at `client`'s address, whose token is an operator's, and the command that imports Casbin."""

    client: httpx.Client
    importer: tuple[str, ...] = ("gatehouse", "policy", "import", "casbin")

    def new_tenant(self) -> "Scratch":
        """Return a tenant that nobody had before. It stays, as every tenant does: its log is kept."""
        name = f"conformance-{uuid.uuid4().hex[:12]}"
        made = expect(self.client.post("/v1/tenants", json={"id": name}), HTTPStatus.CREATED)
        return Scratch(plane=self, name=name, admin=str(made["admin"]["token"]))

    def imports(self, model: str, rows: str) -> str | None:
        """Return the document that a Casbin model and its rows become, None where they are refused."""
        with tempfile.TemporaryDirectory() as folder:
            model_file, rows_file = Path(folder, "model.conf"), Path(folder, "policy.csv")
            model_file.write_text(model, encoding="utf-8")
            rows_file.write_text(rows, encoding="utf-8")
            command = [*self.importer, str(model_file), str(rows_file), "--action", "chat=chat.completions"]
            try:
                done = subprocess.run(command, capture_output=True, timeout=_IMPORT_WITHIN_S, check=False, text=True)
            except (OSError, subprocess.TimeoutExpired) as exc:
                raise Wrong(f"the importer does not run: {type(exc).__name__}") from exc
        if "Traceback" in done.stderr:
            raise Wrong("the importer breaks down")
        return done.stdout if done.returncode == 0 else None


@dataclass(frozen=True, slots=True)
class Scratch:
    """A tenant, and the tokens of those who act in it."""

    plane: ControlPlane
    name: str
    admin: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def somebody(self, role: str, person: str | None = None) -> str:
        """Return the token of one more principal of `role`; `person` is who that is beside the name."""
        body: dict[str, Any] = {"name": f"{role}-{next(self._numbers)}", "role": role}
        made = self.ask("POST", "/v1/role-bindings", self.admin, body if person is None else body | {"person": person})
        return str(expect(made, HTTPStatus.CREATED)["token"])

    def ask(self, method: str, path: str, token: str, body: Any = None, *, if_match: str = "*") -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", "If-Match": if_match}
        return self.plane.client.request(method, path, json=body, headers=headers)

    def environment(self, **rules: Any) -> str:
        """Return a new environment with `rules`."""
        name = f"trial-{next(self._numbers)}"
        expect(self.ask("POST", "/v1/environments", self.admin, {"id": name}), HTTPStatus.CREATED)
        demanded = {"untested_needs_reason": False} | rules
        expect(self.ask("PUT", f"/v1/environments/{name}/rules", self.admin, demanded), HTTPStatus.OK)
        return name

    def keep(self, author: str, sources: Iterable[str]) -> None:
        """Put policies into the working set, each as a new policy or as a new revision."""
        for source in sources:
            policy = source.partition("id: ")[2].partition("\n")[0]
            made = self.ask("POST", "/v1/policies", author, {"source": source})
            if made.status_code == HTTPStatus.CONFLICT:
                current = self.ask("GET", f"/v1/policies/{policy}", author).headers.get("ETag", "")
                path = f"/v1/policies/{policy}/revisions"
                made = self.ask("POST", path, author, {"source": source}, if_match=current)
            expect(made, HTTPStatus.CREATED)

    def release(self, author: str, environment: str) -> Any:
        made = self.ask("POST", RELEASES, author, {"environment": environment})
        return expect(made, HTTPStatus.CREATED)

    def approve(self, who: str, release: Any, **changes: str) -> httpx.Response:
        body = {name: release[name] for name in ("revision", "environment")} | {"verdict": "approve"} | changes
        return self.ask("POST", f"{RELEASES}/{release['id']}/approvals", who, body)

    def activate(self, who: str, release: Any, *, if_match: str = "*") -> httpx.Response:
        body = {"release": release["id"], "environment": release["environment"]}
        return self.ask("POST", "/v1/activations", who, body, if_match=if_match)

    def tried(self, *sources: str) -> Any:
        """Return what the tests of documents say, that are kept nowhere."""
        return expect(
            self.ask("POST", "/v1/policies:test", self.somebody("author"), _documents(sources)), HTTPStatus.OK
        )

    def validated(self, *sources: str) -> Any:
        body = _documents(sources)
        return expect(self.ask("POST", "/v1/policies:validate", self.somebody("author"), body), HTTPStatus.OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One attempt on how policy is made. `attack` raises Wrong where it succeeds, or where a sibling is refused."""

    slug: str
    attack: Callable[[Scratch], None]


def expect(answer: httpx.Response, status: int, *codes: str) -> Any:
    """Return the body of an answer of `status`, which has one of `codes` where any are given. Raises Wrong else."""
    told = answer.json() if answer.content else {}
    code = told.get("code", "") if isinstance(told, dict) else ""
    if answer.status_code != status or (codes and code not in codes):
        wanted = " or ".join(codes)
        asked = f"{answer.request.method} {answer.request.url.path}"
        raise Wrong(f"{asked} is answered {answer.status_code} {code}, and not {int(status)} {wanted}".rstrip())
    return told


def codes_in(items: Iterable[Any]) -> set[str]:
    return {str(item["code"]) for item in items}


def _documents(sources: Iterable[str]) -> dict[str, Any]:
    return {"documents": [{"filename": f"{at}.yaml", "source": source} for at, source in enumerate(sources)]}
