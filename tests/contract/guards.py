# SPDX-License-Identifier: Apache-2.0
"""Snapshots with guards, their Rego as a bundle has it, and an OPA process to run them: for the contract of engines."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from policies.bundle.guard_entry import entry_module, guard_name
from policies.contracts.decision import EngineAnswer, Mode, Outcome, PolicyAnswer
from policies.contracts.request import EvaluationRequest, RequestFacts, Resource, Subject
from policies.contracts.snapshot import GuardPolicy, PolicySnapshot, RedactionAction, RedactionPolicy, RedactionRule

GUARD_REVISION = "7+sha256:00ff"
ALLOWED = EngineAnswer(
    engine="casbin",
    answers=(PolicyAnswer(policy="chat-access", mode=Mode.ENFORCE, outcome=Outcome.ALLOW),),
)
NOTHING_APPLIED = EngineAnswer(engine="casbin", answers=())

CAPS = """package gatehouse.guard.request_caps

cap := data.gatehouse.guard_data.request_caps

deny contains "max-tokens-over-cap" if input.request.max_tokens > cap.max_tokens

deny contains "tool-not-permitted" if {
  some tool in input.request.tools
  tool in cap.forbidden_tools
}

allow if input.access.effect == "not_applicable"

obligations contains {"type": "redact", "policy": "answer-redaction"} if "staff" in input.subject.groups
"""
CAPS_DATA = {"max_tokens": 512, "forbidden_tools": ["shell"]}
CAPS_REASONS = {"max-tokens-over-cap": "Too many tokens.", "tool-not-permitted": "That tool is forbidden."}


def guard(module: str = CAPS, *, name: str = "request-caps", mode: Mode = Mode.ENFORCE, **changes: Any) -> GuardPolicy:
    fields = {"data": CAPS_DATA, "reasons": CAPS_REASONS} | changes
    return GuardPolicy(id=name, version="1", mode=mode, module=module, **fields)


def snapshot_of(*guards: GuardPolicy, groups: Mapping[str, tuple[str, ...]] | None = None) -> PolicySnapshot:
    rules = (RedactionRule(id="contact", detectors=("email",), action=RedactionAction.REPLACE),)
    return PolicySnapshot(
        tenant="default",
        environment="production",
        groups={"staff": ("user:alice",)} if groups is None else groups,
        guards=guards,
        redactions=(
            RedactionPolicy(
                id="answer-redaction", version="1", mode=Mode.ENFORCE, operations=(), models=(), rules=rules
            ),
        ),
    )


def request_of(subject: str = "alice", **facts: Any) -> EvaluationRequest:
    return EvaluationRequest(
        request_id="req_1",
        tenant="default",
        environment="production",
        subject=Subject(type="user", id=subject),
        action="chat.completions",
        resource=Resource(type="model", id="parrot"),
        facts=RequestFacts(**facts),
        at=datetime(2026, 11, 20, 18, tzinfo=UTC),
    )


def modules_of(snapshot: PolicySnapshot) -> dict[str, str]:
    """The Rego files of a bundle of `snapshot`."""
    modules = {f"gatehouse/guard/{guard_name(each.id)}.rego": each.module for each in snapshot.guards}
    return {"gatehouse/main.rego": entry_module(snapshot), **modules}


def data_of(snapshot: PolicySnapshot) -> dict[str, Any]:
    return {"gatehouse": {"guard_data": {guard_name(each.id): each.data for each in snapshot.guards}}}


@dataclass(slots=True, kw_only=True)
class OpaProcess:
    """A real OPA on a Unix socket, with the bundle of a snapshot."""

    binary: Path
    folder: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def socket(self) -> Path:
        return self.folder / "opa.sock"

    def write(self, snapshot: PolicySnapshot, *, revision: str = GUARD_REVISION) -> None:
        bundle = self.folder / "bundle"
        shutil.rmtree(bundle, ignore_errors=True)
        for name, text in modules_of(snapshot).items():
            (bundle / name).parent.mkdir(parents=True, exist_ok=True)
            (bundle / name).write_text(text)
        (bundle / "data.json").write_text(json.dumps(data_of(snapshot)))
        (bundle / ".manifest").write_text(
            json.dumps({"revision": revision, "rego_version": 1, "roots": ["gatehouse"]}),
        )

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [
                *(self.binary, "run", "--server", "--addr", f"unix://{self.socket}"),
                *("--bundle", "bundle", "--log-level", "error", "--skip-version-check"),
            ],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not self._listens():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("OPA did not start")
            time.sleep(0.02)

    def _listens(self) -> bool:
        """Between bind and listen the socket is there and refuses."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
