# SPDX-License-Identifier: Apache-2.0
"""Everybody changes the policy in force at once, by many threads; afterwards a judge says whether any rule was broken.

The control planes may be killed meanwhile: a call without an answer is one that may have taken effect or not.
"""

import json
import random
import threading
import time
from base64 import urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from policies.bundle.verify import verify
from tests.served_control_planes import ACCESS, BUNDLE, Served, another_port, make_release, public_key, served, until

ENVIRONMENT = "/v1/environments/production"
RELEASES = "/v1/policy-sets/default/releases"
_UNDER_WAY = {"pending", "active"}


@dataclass
class Storm:
    """`planes` are those that serve now; a kill exchanges them. `edits` are the accepted ones: from, to."""

    planes: list[Served]
    second: dict[str, str] = field(default_factory=dict)
    edits: list[tuple[str, str]] = field(default_factory=list)
    serials_seen: list[tuple[int, int]] = field(default_factory=list)
    accepted: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def prepare(self) -> None:
        """Make the first release, put it in force, and from then on ask for two approvals."""
        api = self.planes[0]
        release = make_release(api)
        self.call(
            "POST", "/v1/activations", "approver", {"release": release, "environment": "production"}, if_match="*"
        )
        rules = api.call("GET", f"{ENVIRONMENT}/rules", "admin")
        wanted = rules.json()["rules"] | {"approvals_required": 2}
        put = self.call("PUT", f"{ENVIRONMENT}/rules", "admin", wanted, if_match=rules.headers["ETag"])
        assert put is not None
        assert put.status_code == 200, put.text
        made = self.call("POST", "/v1/role-bindings", "admin", {"name": "second", "role": "approver"})
        assert made is not None
        self.second = {"Authorization": f"Bearer {made.json()['token']}"}

    def call(
        self, method: str, path: str, role: str, body: Any = None, *, if_match: str | None = None, second: bool = False
    ) -> httpx.Response | None:
        """Return the answer of some plane, None where none came."""
        headers = ({"If-Match": if_match} if if_match else {}) | (self.second if second else {})
        arguments = {} if body is None else {"json": body}
        try:
            answer = random.choice(self.planes).call(method, path, role, headers=headers, **arguments)  # no secret
        except httpx.TransportError:
            time.sleep(0.05)
            return None
        if answer.status_code >= 500 and answer.status_code != 503:
            self.failures.append(f"{method} {path}: {answer.text}")
        if method == "POST" and answer.is_success:
            what = path.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
            self.accepted[what] = self.accepted.get(what, 0) + 1
        return answer

    def rage(self, *, for_s: float) -> None:
        """Let everybody do what they may, until the time is over."""
        works = (
            self.edit,
            self.edit,
            self.release,
            self.judge_release,
            self.activate,
            self.activate,
            self.end,
            self.look,
        )
        deadline = time.monotonic() + for_s

        def again(work: Any) -> None:
            while time.monotonic() < deadline and not self.ended.is_set():
                # Between two calls of one work a plane may be killed, and what was read may be gone.
                with suppress(AttributeError, IndexError):
                    work()

        with ThreadPoolExecutor(len(works)) as threads:
            for done in [threads.submit(again, work) for work in works]:
                done.result()

    def edit(self) -> None:
        path = "/v1/policies/chat-access"
        etag = self.call("GET", path, "author").headers["ETag"]  # type: ignore[union-attr]  # as said in `rage`
        source = ACCESS.replace('version: "1"', f'version: "{random.getrandbits(40)}"')  # no secret
        made = self.call("POST", f"{path}/revisions", "author", {"source": source}, if_match=etag)
        if made is not None and made.status_code == 201:
            self.edits.append((etag, made.headers["ETag"]))

    def release(self) -> None:
        self.call("POST", RELEASES, "author", {})
        time.sleep(0.1)

    def some_release(self) -> dict[str, Any]:
        listed: list[dict[str, Any]] = self.call("GET", f"{RELEASES}?limit=500", "approver").json()["items"]  # type: ignore[union-attr]
        return random.choice(listed[-4:])  # no secret

    def judge_release(self) -> None:
        release = self.some_release()
        path, second = f"{RELEASES}/{release['id']}/approvals", random.random() < 0.7  # no secret
        verdict = "approve" if random.random() < 0.8 else "reject"  # no secret
        body = {"revision": release["revision"], "environment": "production", "verdict": verdict}
        made = self.call("POST", path, "approver", body, second=second)
        if made is not None and made.status_code == 201 and random.random() < 0.3:  # no secret
            self.call("POST", f"{path}/{made.json()['id']}:withdraw", "approver", second=second)

    def activate(self) -> None:
        soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
        how: dict[str, Any] = random.choice(  # no secret
            [
                {},
                {"mode": "observe"},
                {"not_before": soon},
                {"expires_at": soon},
                {"break_glass": {"reason": "x", "minutes": 1}},
            ]
        )
        body = {"release": self.some_release()["id"], "environment": "production"} | how
        etag = self.call("GET", ENVIRONMENT, "approver").headers["ETag"]  # type: ignore[union-attr]  # as said
        self.call("POST", "/v1/activations", "approver", body, if_match=etag)

    def end(self) -> None:
        state = self.call("GET", ENVIRONMENT, "approver").json()  # type: ignore[union-attr]  # as said
        tried, verb = state["candidate"], random.choice(["promote", "cancel", "rollback"])  # no secret
        if tried is not None:
            self.call("POST", f"/v1/activations/{tried['activation']}:{verb}", "approver", second=verb == "promote")
        elif random.random() < 0.3:  # no secret
            self.call("POST", f"{ENVIRONMENT}:rollback", "approver", {"from_serial": state["serial"]})
        time.sleep(0.1)

    def look(self) -> None:
        answer = self.call("GET", "/opa/v1/production/environment", "agent")
        environment = self.call("GET", ENVIRONMENT, "approver")
        if answer is not None and environment is not None and answer.status_code == 200:
            self.serials_seen.append((document_of(answer)["number"], environment.json()["serial"]))

    def settle(self) -> None:
        """Wait until the conductor did what was due, a candidate ended by hand included."""

        def is_settled() -> bool:
            state = self.call("GET", ENVIRONMENT, "approver")
            tried = None if state is None else state.json()["candidate"]
            if tried is not None:
                self.call("POST", f"/v1/activations/{tried['activation']}:cancel", "approver")
            return state is not None and not any(
                one["state"] == "scheduled" for one in self.everything("/v1/activations")
            )

        until(is_settled, within_s=30)

    def everything(self, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        query: dict[str, str] = {"limit": "500"}
        while True:
            page = self.planes[0].call("GET", path, "auditor", params=query).json()
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            query["cursor"] = page["next_cursor"]

    def judge(self, public_key: bytes, *, every_edit_known: bool) -> None:
        """Raise AssertionError where something came out that no order of the calls gives."""
        assert self.failures == []
        for each in zip(*self.serials_seen, strict=True):
            assert list(each) == sorted(each)
        came_from = dict(self.edits)
        assert len(came_from) == len(self.edits), "two edits started from one revision"
        if every_edit_known and self.edits:
            current = self.planes[0].call("GET", "/v1/policies/chat-access", "author").headers["ETag"]
            assert came_from.keys() ^ set(came_from.values()) == {self.edits[0][0], current} or (
                len(came_from.keys() - set(came_from.values())) == 1
                and set(came_from.values()) - came_from.keys() == {current}
            )
        activations = self.everything("/v1/activations")
        serials = sorted(one["serial"] for one in activations if one["serial"] is not None)
        assert serials == list(range(1, len(serials) + 1))
        judge_events(self.everything("/v1/admin-events"))
        state = self.planes[0].call("GET", ENVIRONMENT, "approver").json()
        (in_force,) = (one for one in activations if one["state"] in _UNDER_WAY)
        assert in_force["serial"] == state["serial"] == state["desired"]["serial"]
        assert (in_force["id"], in_force["revision"]) == (state["desired"]["activation"], state["desired"]["revision"])
        bundle = self.planes[0].call("GET", BUNDLE, "agent").content
        keys = {"gatehouse-1": public_key}
        served = verify(bundle, keys=keys, tenant="default", environment="production", newer_than=None)
        assert served.serial == state["serial"]
        assert document_of(self.planes[0].call("GET", "/opa/v1/production/environment", "agent"))["candidate"] is None


def kill_and_judge(environment: dict[str, str], *, kills: int) -> Storm:
    """Serve, kill amid changes, serve again: after each kill what was begun ends, and every rule held."""
    storm = Storm([])
    for number in range(kills + 1):
        with served(environment, another_port()) as api:
            storm.planes[:] = [api]
            if number == 0:
                storm.prepare()
            else:
                storm.settle()
                storm.judge(public_key(environment), every_edit_known=False)
            if number < kills:
                kill = threading.Timer(random.uniform(0.3, 1.5), api.process.kill)
                kill.start()
                storm.rage(for_s=1.8)
                kill.join()
    return storm


def document_of(answer: httpx.Response) -> dict[str, Any]:
    """Return what an environment document says, its signature aside."""
    payload = answer.text.split(".")[1]
    read: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return read


def judge_events(events: list[dict[str, Any]]) -> None:
    """Go through what was done in its order: no activation without two approvals of that moment, one candidate."""
    words: dict[str, dict[str, str]] = {}
    by_id: dict[str, tuple[str, str]] = {}
    needed, tried = 1, None
    for event in events:
        action, target, who, detail = event["action"], event["target"], event["principal"], event["detail"]
        if "rules" in action:
            needed = 2
        elif "approval" in detail and action != "approval_withdrawn":
            words.setdefault(target, {})[who] = action
            by_id[detail["approval"]] = (target, who)
        elif action == "approval_withdrawn":
            release, owner = by_id.pop(detail["approval"], (target, who))
            words.get(release, {}).pop(owner, None)
        elif action == "release_activated":
            given = words.setdefault(target, {})
            assert not any("reject" in word for word in given.values()), event
            assert len(given.keys() | {who}) >= needed, event
            given.setdefault(who, "approved by activating")
        elif action == "activation_candidate":
            assert tried is None, event
            tried = target
        elif action.startswith("activation_") and target == tried:
            tried = None
