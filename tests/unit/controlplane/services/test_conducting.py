# SPDX-License-Identifier: Apache-2.0
"""Every step of an activation, with a clock that is turned and nodes that say what a test wants them to say."""

import shutil
from dataclasses import replace
from datetime import timedelta

import pytest

from controlplane.services.feeds import Feed
from policies.bundle.environment import verify_environment
from tests.control_planes import make_plane, sqlite_url
from tests.records import make_record

HERE = {"tenant": "default", "environment": "production"}
CANARY = {
    "subjects_percent": 10,
    "promote_after_s": 600,
    "at_least_requests": 10,
    "thresholds": {"denied_points": 5, "error_points": 2, "latency_p95_ms": 50},
}


class Stage:
    """A control plane, one node of two workers, and the conductor, which runs when it is told to."""

    def __init__(self, under_test):
        self.under_test = under_test
        self.clock = under_test.clock
        self.release = under_test.release()["id"]

    def call(self, method, path, role="approver", **arguments):
        return self.under_test.call(method, path, role, **arguments)

    def ask(self, **body):
        etag = self.call("GET", "/v1/environments/production").headers["ETag"]
        asked = {"release": self.release, "environment": "production", **body}
        return self.call("POST", "/v1/activations", json=asked, headers={"If-Match": etag})

    def activate(self, **body):
        made = self.ask(**body)
        assert made.status_code == 201, made.text
        return made.json

    def report(
        self, *, serial, candidate=None, rejected=None, error=None, candidate_error=None, node="n1", failed=None
    ):
        workers = [
            {
                "slot": slot,
                "serial": serial,
                "epoch": 1,
                "error": error,
                "failed_serial": failed,
                "candidate_serial": candidate,
                "candidate_error": candidate_error,
            }
            for slot in ("w0", "w1")
        ]
        body = {"node_id": node, "version": "1", "workers": workers, "guard_engine": "opa", "rejected_bundle": rejected}
        assert self.call("POST", f"/v1/agents/{node}/status", "agent", json=body).status_code == 200

    def conduct(self):
        while self.under_test.plane.conducting.go_on():
            pass

    def get(self, activation):
        return self.call("GET", f"/v1/activations/{activation['id']}").json

    def states(self, activation):
        return [line["state"] for line in self.get(activation)["history"]]

    def environment(self):
        return self.call("GET", "/v1/environments/production").json

    def document(self):
        artifact = self.under_test.plane.feeds.artifact(Feed.ENVIRONMENT, **HERE)
        return verify_environment(artifact.content, keys={"gatehouse-1": self.under_test.public_key}, **HERE)

    def in_force(self, **body):
        """Activate, and let every worker say so."""
        made = self.activate(**body)
        self.report(serial=made["serial"])
        self.conduct()
        assert self.get(made)["state"] == "active"
        return made

    def decide(self, *, serial, count, outcome="allow", decide_us=700):
        self._seq = getattr(self, "_seq", 0)
        records = []
        for _ in range(count):
            self._seq += 1
            records.append(
                make_record(
                    seq=self._seq,
                    request_id=f"req_{self._seq}",
                    serial=serial,
                    outcome=outcome,
                    time=self.clock().isoformat().replace("+00:00", "Z"),
                    latency_us={"total": 9000, "decide": decide_us, "upstream": 1},
                )
            )
        assert self.under_test.ingest(*records).status_code == 200


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("migrated")
    make_plane(sqlite_url(folder)).store.close()
    return folder / "gatehouse.db"


@pytest.fixture
def stage(tmp_path, migrated):
    shutil.copy(migrated, tmp_path)
    made = make_plane(sqlite_url(tmp_path))
    yield Stage(made)
    made.store.close()


def etag_of(stage, activation):
    with stage.under_test.store.read() as session:
        return session.activations.get("default", activation["id"]).etag


def test_becomes_active_when_the_last_worker_says_so(stage):
    made = stage.activate()
    stage.report(serial=0, node="slow")
    stage.report(serial=1)
    stage.conduct()
    assert stage.get(made)["state"] == "pending"
    stage.report(serial=1, node="slow")
    assert stage.states(made) == ["scheduled", "pending", "active"]
    assert [line["by"] for line in stage.get(made)["history"]] == ["approver", "approver", "system"]


def test_becomes_active_when_the_node_it_waited_for_falls_silent(stage):
    stage.report(serial=0, node="dead")
    made = stage.activate()
    stage.clock.turn(10)
    stage.report(serial=1)
    stage.clock.turn(6)
    stage.conduct()
    assert stage.states(made)[-1] == "active"


def test_a_deadline_that_passes_brings_the_release_before_back_at_a_new_serial(stage):
    first = stage.in_force()
    second = stage.activate(acknowledge_within_s=20)
    stage.clock.turn(19)
    stage.report(serial=1)
    stage.conduct()
    assert stage.get(second)["state"] == "pending"
    stage.clock.turn(1)
    stage.conduct()
    assert stage.states(second) == ["scheduled", "pending", "failed", "rolled-back"]
    desired = stage.environment()["desired"]
    assert (desired["serial"], desired["revision"]) == (3, first["revision"])
    back = stage.get({"id": desired["activation"]})
    assert (back["rolls_back"], back["by"], back["state"]) == (second["id"], "system", "pending")
    stage.report(serial=3)
    assert stage.get(back)["state"] == "active"


def test_without_a_live_node_nothing_is_late(stage):
    stage.in_force()
    stage.clock.turn(60)
    second = stage.activate(acknowledge_within_s=20)
    stage.conduct()
    stage.clock.turn(3600)
    stage.conduct()
    assert stage.states(second) == ["scheduled", "pending"]
    stage.report(serial=1)  # a node comes back, and its time begins now
    stage.conduct()
    stage.clock.turn(10)
    stage.report(serial=1)
    stage.conduct()
    assert stage.get(second)["state"] == "pending"
    stage.clock.turn(10)
    stage.conduct()
    assert stage.get(second)["state"] == "rolled-back"


def test_the_first_activation_ever_fails_and_has_nothing_to_go_back_to(stage):
    stage.report(serial=0)
    first = stage.activate(acknowledge_within_s=10)
    stage.clock.turn(10)
    stage.conduct()
    assert stage.states(first) == ["scheduled", "pending", "failed"]
    assert stage.environment()["serial"] == 1
    stage.report(serial=1)
    assert stage.states(first)[-1] == "active"


def test_a_rejected_bundle_is_rolled_back_and_its_failure_stays_in_the_history(stage):
    stage.in_force()
    second = stage.activate()
    stage.report(serial=1, rejected={"code": "canary-failed", "etag": f'"{etag_of(stage, second)}"'})
    assert stage.get(second)["state"] == "failed"
    stage.conduct()
    history = stage.get(second)["history"]
    assert [line["state"] for line in history[-2:]] == ["failed", "rolled-back"]
    assert history[-2]["why"] == "n1 rejected the bundle: canary-failed"


def test_an_error_from_before_the_activation_does_not_fail_it(stage):
    stage.in_force()
    second = stage.activate()
    stage.report(serial=1, error="serial 1: no patterns")
    stage.conduct()
    assert stage.get(second)["state"] == "pending"
    stage.clock.turn(5)
    stage.report(serial=1, error="serial 2: no patterns")
    stage.conduct()
    assert stage.get(second)["state"] == "rolled-back"


def test_an_error_counts_by_the_serial_that_it_names(stage):
    stage.in_force()
    second = stage.activate()
    stage.clock.turn(5)
    stage.report(serial=1, error="no patterns", failed=1)  # of another bundle, however late it is reported
    stage.conduct()
    assert stage.get(second)["state"] == "pending"
    third = stage.activate()
    stage.report(serial=1, error="no patterns", failed=2)
    stage.conduct()
    assert stage.get(third)["state"] == "pending"
    stage.report(serial=1, error="no patterns", failed=3)  # and of this one at once
    stage.conduct()
    assert stage.get(third)["state"] == "rolled-back"


def test_a_rollback_that_fails_does_not_walk_back_through_history(stage):
    stage.in_force()
    stage.in_force()
    stage.activate(acknowledge_within_s=10)
    for _ in range(5):
        stage.clock.turn(10)
        stage.report(serial=2)
        stage.conduct()
    assert stage.environment()["serial"] == 4
    assert stage.environment()["desired"]["state"] == "failed"


def test_what_is_scheduled_begins_when_its_time_comes(stage):
    stage.in_force()
    at = stage.clock() + timedelta(hours=2)
    made = stage.activate(not_before=at.isoformat())
    assert (made["state"], made["serial"]) == ("scheduled", None)
    stage.clock.turn(7199)
    stage.conduct()
    assert stage.get(made)["state"] == "scheduled"
    stage.clock.turn(1)
    stage.conduct()
    assert (stage.get(made)["state"], stage.get(made)["serial"]) == ("pending", 2)


def test_what_is_scheduled_fails_where_it_may_not_begin_any_more(stage):
    stage.in_force()
    made = stage.activate(not_before=(stage.clock() + timedelta(hours=1)).isoformat())
    rules = {"approvals_required": 2}
    assert stage.call("PUT", "/v1/environments/production/rules", "admin", json=rules, headers={"If-Match": "*"}).json
    stage.clock.turn(3600)
    stage.conduct()
    assert stage.states(made) == ["scheduled", "failed"]
    assert "approvals-missing" in stage.get(made)["history"][-1]["why"]
    assert stage.environment()["serial"] == 1


def test_what_expires_gives_way_to_what_was_before(stage):
    stage.in_force()
    second = stage.in_force(expires_at=(stage.clock() + timedelta(minutes=30)).isoformat())
    stage.clock.turn(1799)
    stage.conduct()
    assert stage.get(second)["state"] == "active"
    stage.clock.turn(1)
    stage.conduct()
    assert stage.get(second)["state"] == "expired"
    assert stage.environment()["serial"] == 3


def test_a_candidate_is_named_to_the_nodes_and_changes_nothing_in_force(stage):
    stage.in_force()
    tried = stage.activate(canary=CANARY)
    assert (tried["state"], tried["serial"]) == ("candidate", 2)
    named = stage.document().candidate
    assert (named.serial, named.etag, named.salt) == (2, etag_of(stage, tried), tried["id"])
    assert (named.mode, named.subjects_percent, named.workers_percent) == ("enforce", 10, None)
    bundle = stage.under_test.plane.feeds.artifact(Feed.CANDIDATE, **HERE, serial=2)
    assert bundle.etag == named.etag
    assert stage.under_test.plane.feeds.artifact(Feed.CANDIDATE, **HERE, serial=1) is None
    environment = stage.environment()
    assert (environment["serial"], environment["candidate"]["activation"]) == (1, tried["id"])


def test_a_candidate_that_holds_every_threshold_is_promoted_with_its_very_bundle(stage):
    stage.in_force()
    tried = stage.activate(canary=CANARY)
    etag = etag_of(stage, tried)
    stage.report(serial=1, candidate=2)
    stage.decide(serial=1, count=90)
    stage.decide(serial=2, count=10)
    stage.conduct()
    assert stage.get(tried)["state"] == "candidate"
    assert stage.get(tried)["measured"]["candidate"] == {"requests": 10, "denied": 0, "failed": 0}
    stage.clock.turn(600)
    stage.report(serial=1, candidate=2)
    stage.conduct()
    assert stage.states(tried)[-1] == "pending"
    assert stage.under_test.plane.feeds.artifact(Feed.BUNDLE, **HERE).etag == etag
    assert stage.document().candidate is None
    stage.report(serial=2)
    assert stage.states(tried) == ["scheduled", "candidate", "pending", "active"]


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        pytest.param({"outcome": "deny"}, "denied", id="denials"),
        pytest.param({"outcome": "error_deny"}, "failed", id="errors"),
        pytest.param({"decide_us": 200_000}, "p95", id="latency"),
    ],
)
def test_a_candidate_that_exceeds_a_threshold_is_rolled_back_at_once(stage, bad, named):
    stage.in_force()
    tried = stage.activate(canary=CANARY)
    stage.report(serial=1, candidate=2)
    stage.decide(serial=1, count=20)
    stage.decide(serial=2, count=9, **bad)
    stage.conduct()
    assert stage.get(tried)["state"] == "candidate"
    stage.decide(serial=2, count=1, **bad)
    stage.conduct()
    assert stage.get(tried)["state"] == "rolled-back"
    assert named in stage.get(tried)["history"][-1]["why"]
    assert (stage.environment()["serial"], stage.document().candidate) == (1, None)


def test_a_candidate_that_decided_too_little_waits(stage):
    stage.in_force()
    tried = stage.activate(canary=CANARY)
    stage.decide(serial=2, count=9)
    stage.clock.turn(6000)
    stage.report(serial=1, candidate=2)
    stage.conduct()
    assert stage.get(tried)["state"] == "candidate"


def test_decisions_of_the_same_serial_elsewhere_do_not_count(stage):
    stage.in_force()
    tried = stage.activate(canary=CANARY)
    record = make_record(seq=1, serial=2, outcome="deny", environment="staging")
    stage.under_test.ingest(record)
    assert stage.get(tried)["measured"]["candidate"]["requests"] == 0


@pytest.mark.parametrize(
    "report",
    [
        pytest.param({"candidate_error": "no patterns"}, id="a-worker-cannot-try-it"),
        pytest.param({"rejected": True}, id="a-node-rejects-it"),
        pytest.param({}, id="nobody-tries-it-in-time"),
    ],
)
def test_a_candidate_that_is_not_tried_everywhere_is_rolled_back(stage, report):
    stage.in_force()
    tried = stage.activate(canary=CANARY)
    if report.get("rejected"):
        report = {"rejected": {"code": "canary-failed", "etag": f'"{etag_of(stage, tried)}"'}}
    for _ in range(6):
        stage.clock.turn(5)
        stage.report(serial=1, **report)
        stage.conduct()
    assert stage.get(tried)["state"] == "rolled-back"
    assert stage.environment()["serial"] == 1


def test_a_candidate_that_expires_ends(stage):
    stage.in_force()
    tried = stage.activate(mode="observe", expires_at=(stage.clock() + timedelta(minutes=5)).isoformat())
    stage.clock.turn(300)
    stage.conduct()
    assert (stage.get(tried)["state"], stage.document().candidate) == ("expired", None)
    assert stage.environment()["serial"] == 1


def test_a_break_glass_ends_with_its_time_unless_somebody_approved_it(stage):
    stage.in_force()
    broken = stage.in_force(break_glass={"reason": "logins fail", "minutes": 30})
    stage.clock.turn(1799)
    stage.conduct()
    assert stage.get(broken)["state"] == "active"
    stage.clock.turn(1)
    stage.conduct()
    assert stage.get(broken)["state"] == "rolled-back"
    assert stage.environment()["serial"] == 3


@pytest.mark.parametrize(("approved", "want"), [(True, "active"), (False, "rolled-back")])
def test_a_review_decides_what_becomes_of_a_break_glass(stage, approved, want):
    stage.in_force()
    broken = stage.in_force(break_glass={"reason": "logins fail", "minutes": 30})
    with stage.under_test.store.read() as session:
        auditor = session.principals.by_id("default", "auditor")
    stage.under_test.plane.activations.review(auditor, broken["id"], approved=approved)
    stage.clock.turn(3600)
    stage.conduct()
    assert stage.get(broken)["state"] == want


def test_nothing_is_done_twice(stage):
    stage.in_force()
    stage.activate(acknowledge_within_s=10)
    stage.clock.turn(10)
    stage.report(serial=1)
    stage.conduct()
    before = stage.call("GET", "/v1/admin-events?limit=500", "auditor").json["items"]
    stage.conduct()
    assert stage.call("GET", "/v1/admin-events?limit=500", "auditor").json["items"] == before


def test_each_step_is_an_admin_event(stage):
    stage.in_force()
    stage.activate(acknowledge_within_s=10)
    stage.clock.turn(10)
    stage.report(serial=1)
    stage.conduct()
    events = stage.call("GET", "/v1/admin-events?limit=500", "auditor").json["items"]
    told = [(event["action"], event["principal"]) for event in events if event["action"].startswith("activation_")]
    assert told[-4:] == [
        ("activation_pending", "approver"),
        ("activation_failed", "system"),
        ("activation_rolled_back", "system"),
        ("activation_pending", "system"),
    ]


def test_takes_over_what_a_release_put_to_work_that_kept_no_history(stage):
    first = stage.in_force()
    with stage.under_test.store.write() as session:  # as a server of the release before does
        old = session.activations.at_serial("default", "production", 1)
        bundle = session.activations.bundle("default", "production", 1)
        session.activations.add(replace(old, id="act_old", serial=2, active_at=None), bundle)
        session.environments.set_serial("default", "production", 2)
    assert stage.environment()["desired"]["activation"] == "act_old"
    stage.under_test.plane.conducting.adopt()
    taken = stage.get({"id": "act_old"})
    assert (taken["state"], taken["previous_serial"], len(taken["history"])) == ("pending", 1, 1)
    assert stage.get(first)["state"] == "superseded"
