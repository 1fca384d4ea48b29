# SPDX-License-Identifier: Apache-2.0
"""A directory held against the working set, a release and what is in force."""

import json

import pytest

from tests.control_planes import ACCESS

DONE, REFUSED, DIFFERENT = 0, 1, 2
ENGINE = ("--engine", "embedded")


def shown(result):
    assert result.exit_code == DONE, result.stderr
    return json.loads(result.stdout)


def what(items) -> dict[str, str]:
    return {item["id"]: item["what"] for item in items}


@pytest.fixture
def applied(gatehouse, documents):
    shown(gatehouse("policy", "apply", documents, "--json"))
    return documents


def plan(gatehouse, folder, *options):
    return gatehouse("policy", "plan", folder, *ENGINE, *options)


def test_a_plan_says_what_apply_then_does(gatehouse, documents):
    first = shown(plan(gatehouse, documents, "--json"))
    assert what(first["policies"]) == {"chat-access": "create", "openai-routes": "create"}
    assert gatehouse("policy", "list", "--json").stdout == '{\n  "items": []\n}\n'
    assert plan(gatehouse, documents, "--exit-code").exit_code == DIFFERENT
    shown(gatehouse("policy", "apply", documents, "--json"))
    again = plan(gatehouse, documents, "--exit-code")
    assert (again.exit_code, "2 unchanged" in again.stdout) == (DONE, True)


def test_a_plan_shows_the_difference_line_by_line(gatehouse, applied):
    (applied / "access.yaml").write_text(ACCESS.replace("[parrot]", "[parrot, owl]"))
    result = plan(gatehouse, applied)
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[0] == "revise chat-access"
    assert [line[0] for line in lines if "owl" in line] == ["+"]
    assert "1 to revise" in result.stdout


def test_what_the_directory_lacks_is_removed_only_when_asked(gatehouse, applied):
    (applied / "extra.yaml").write_text(ACCESS.replace("id: chat-access", "id: more-access").replace("staff", "crew"))
    shown(gatehouse("policy", "apply", applied, "--json"))
    (applied / "extra.yaml").unlink()
    assert what(shown(plan(gatehouse, applied, "--json"))["policies"])["more-access"] == "kept"
    assert plan(gatehouse, applied, "--exit-code").exit_code == DONE
    assert "more-access" not in what(shown(gatehouse("policy", "apply", applied, "--json"))["policies"])
    assert plan(gatehouse, applied, "--remove", "--exit-code").exit_code == DIFFERENT
    removed = shown(gatehouse("policy", "apply", applied, "--remove", "--json"))["policies"]
    assert what(removed)["more-access"] == "removed"
    assert plan(gatehouse, applied, "--remove", "--exit-code").exit_code == DONE


def test_a_second_apply_leaves_no_trace(gatehouse, applied, under_test):
    before = under_test.call("GET", "/v1/admin-events", "auditor").json
    assert set(what(shown(gatehouse("policy", "apply", applied, "--json"))["policies"]).values()) == {"unchanged"}
    assert under_test.call("GET", "/v1/admin-events", "auditor").json == before


def test_what_is_exported_and_applied_changes_nothing(gatehouse, applied, tmp_path):
    folder = tmp_path / "exported"
    written = shown(gatehouse("policy", "export", folder, "--json"))["policies"]
    assert set(what(written).values()) == {"written"}
    assert sorted(file.name for file in folder.iterdir()) == ["chat-access.yaml", "openai-routes.yaml"]
    assert (folder / "chat-access.yaml").read_text() == ACCESS
    assert plan(gatehouse, folder, "--remove", "--exit-code").exit_code == DONE
    again = shown(gatehouse("policy", "export", applied, "--json"))["policies"]
    assert set(what(again).values()) == {"unchanged"}


def test_drift_from_what_is_in_force_is_told(gatehouse, applied, under_test):
    assert gatehouse("policy", "diff", applied, "--environment", "production").exit_code == REFUSED
    made = under_test.release()
    under_test.activate(made["id"])
    in_force = ("policy", "diff", applied, "--environment", "production", "--exit-code")
    assert gatehouse(*in_force).exit_code == DONE
    assert shown(plan(gatehouse, applied, "--json"))["release_would_change"] is False
    (applied / "access.yaml").write_text(ACCESS + "\n")
    assert gatehouse(*in_force).exit_code == DIFFERENT
    # What was said differently and means the same is another document, and the same release.
    assert shown(plan(gatehouse, applied, "--json"))["release_would_change"] is False
    (applied / "access.yaml").write_text(ACCESS.replace("[parrot]", "[owl]"))
    assert shown(plan(gatehouse, applied, "--json"))["release_would_change"] is True
    assert gatehouse("policy", "diff", applied, "--release", made["id"], "--exit-code").exit_code == DIFFERENT


def test_a_policy_is_removed_by_its_id(gatehouse, applied):
    assert what([shown(gatehouse("policy", "remove", "chat-access", "--json"))]) == {"chat-access": "removed"}
    assert [item["id"] for item in shown(gatehouse("policy", "list", "--json"))["items"]] == ["openai-routes"]
    assert gatehouse("policy", "remove", "chat-access").exit_code == REFUSED
