# SPDX-License-Identifier: Apache-2.0
"""The command as a filter: what goes in at one end comes out redacted at the other."""

import base64
import hashlib
import json
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner

from controlplane.cli.main import main
from tests.streams import CARD, EMAIL

DONE, REFUSED, WRONG_USAGE = 0, 1, 2
POLICY = """\
kind: redaction
id: cards
version: "1"
mode: {mode}
spec:
  rules:
    - {{id: cards, detectors: [payment-card], action: {action}}}
"""
# What a server needs and a filter must not pay for.
NOT_IMPORTED = {"flask", "sqlalchemy", "httpx", "rich", "mitmproxy", "regopy", "casbin", "presidio_analyzer", "yaml"}


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """Keep what the command keeps between starts where nobody else looks."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


def redact(*options, given=b""):
    return CliRunner().invoke(main, ["redact", *map(str, options)], input=given)


def lines(*texts):
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


def policy(tmp_path, *, action="replace", mode="enforce"):
    file = tmp_path / "cards.yaml"
    file.write_text(POLICY.format(action=action, mode=mode))
    return file


def test_each_line_is_answered_in_its_place():
    result = redact("--jsonl", given=lines(EMAIL, "nothing", f"é {CARD}"))
    first, second, third = map(json.loads, result.stdout.splitlines())
    assert (result.exit_code, result.stderr) == (DONE, "")
    assert (first["text"], second) == ("[redacted:email]", {"text": "nothing", "findings": []})
    assert third["text"] == "é [redacted:payment-card]"
    assert [(each["type"], each["start"], each["end"]) for each in third["findings"]] == [
        ("CREDIT_CARD", 2, 2 + len(CARD))
    ]


def test_a_line_that_cannot_be_read_does_not_stop_the_others():
    result = redact("--jsonl", given=b"\n".join((lines("a").strip(), b"{", lines("b"))))
    assert [json.loads(line).get("text") for line in result.stdout.splitlines()] == ["a", None, "b"]
    assert (result.exit_code, result.stderr) == (
        REFUSED,
        "1 line(s) could not be read; each has its error in its place\n",
    )


def test_plain_text_is_redacted_as_it_is():
    result = redact(given=f"To: {EMAIL}\r\nCard {CARD}".encode())
    assert (result.exit_code, result.stdout_bytes) == (DONE, b"To: [redacted:email]\r\nCard [redacted:payment-card]")


def test_a_long_run_is_no_reason_to_cut_a_text():
    given = ("x7Kq2ZpR9sT4vW6yB1cD3eF5gH8jL0mN" * 2000).encode()
    result = redact("--detectors", "email", given=given)
    assert (result.exit_code, result.stdout_bytes) == (DONE, given)


def test_a_picture_in_a_line_is_no_reason_to_refuse_it():
    picture = base64.b64encode(hashlib.shake_256(b"picture").digest(400_000)).decode()
    result = redact("--jsonl", given=lines(f"data:image/png;base64,{picture} by {EMAIL}"))
    answer = json.loads(result.stdout)
    assert "blocked" not in answer
    assert answer["text"].endswith(" by [redacted:email]")


def test_only_the_named_detectors_look():
    assert redact("--detectors", "email", given=f"{EMAIL} {CARD}".encode()).stdout == f"[redacted:email] {CARD}"


def test_a_group_of_detectors_may_be_named():
    key = "ghp_" + "x7Kq2ZpR9sT4vW6yB1cD3eF5gH8jL0mN2oP4"
    given = f"{EMAIL} {key}".encode()
    assert redact("--detectors", "secrets", given=given).stdout.startswith(f"{EMAIL} [redacted:")


def test_what_is_not_installed_is_said_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    result = redact("--detectors", "person")
    assert (result.exit_code, result.stdout) == (REFUSED, "")
    assert "presidio_analyzer is not installed. Install presidio-analyzer and a model" in result.stderr


def test_what_is_compiled_is_kept_for_the_next_start(cache):
    assert redact("--detectors", "email", given=b"x").exit_code == DONE
    assert any((cache / "gatehouse" / "patterns").iterdir())


def test_a_policy_says_what_is_done(tmp_path):
    given = f"{EMAIL} {CARD}".encode()
    assert redact("--policy", policy(tmp_path), given=given).stdout == f"{EMAIL} [redacted:payment-card]"
    assert redact("--policy", policy(tmp_path, mode="observe"), given=given).stdout_bytes == given


def test_rules_select_by_direction(tmp_path):
    file = policy(tmp_path)
    file.write_text(file.read_text().replace("action:", "directions: [request], action:"))
    assert redact("--policy", file, given=CARD.encode()).stdout == CARD
    requested = redact("--policy", file, "--direction", "request", given=CARD.encode())
    assert (requested.exit_code, requested.stdout) == (DONE, "[redacted:payment-card]")


def test_a_block_writes_no_more_and_says_who_blocks(tmp_path):
    blocking = policy(tmp_path, action="block")
    result = redact("--policy", blocking, given=f"{CARD} ".encode())
    assert (result.exit_code, result.stdout) == (REFUSED, "")
    assert "rule 'cards' of policy 'cards'" in result.stderr
    assert CARD not in result.stderr
    answered = json.loads(redact("--jsonl", "--policy", blocking, given=lines(CARD)).stdout)
    assert (answered["text"], answered["blocked"]["detector"]) == ("", "payment-card")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(("--field", "no-such"), "'no-such' is not one of 'user', 'system'", id="unknown-field"),
        pytest.param(("--detectors", "emial"), "there is no detector emial; there are email", id="unknown-detector"),
        pytest.param(("--policy", "{file}", "--strict"), "leave --detectors and --strict out", id="strict-twice"),
        pytest.param(("--policy", "{file}", "--detectors", "email"), "leave", id="detectors-twice"),
        pytest.param(("--policy", "{folder}/none.yaml"), "does not exist", id="no-policy"),
    ],
)
def test_wrong_usage_is_said(tmp_path, options, says):
    file = policy(tmp_path)
    result = redact(*(each.format(file=file, folder=tmp_path) for each in options))
    assert (result.exit_code, result.stdout) == (WRONG_USAGE, "")
    assert says in result.stderr


def test_a_policy_that_is_none_is_refused_with_its_place(tmp_path):
    file = policy(tmp_path, action="vanish")
    result = redact("--policy", file)
    assert (result.exit_code, result.stdout) == (REFUSED, "")
    assert f"{file}:7:" in result.stderr


def test_a_policy_of_another_kind_is_refused(documents):
    result = redact("--policy", documents / "access.yaml")
    assert result.exit_code == WRONG_USAGE
    assert "not a policy of kind redaction" in result.stderr


def start(*options, **streams):
    return subprocess.Popen(
        [sys.executable, "-m", "controlplane.cli", "redact", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **streams,
    )


@pytest.mark.parametrize(
    ("options", "given", "want"),
    [
        pytest.param(("--jsonl",), lines(EMAIL), b'"[redacted:email]"', id="lines"),
        pytest.param((), f"{EMAIL} \n".encode(), b"[redacted:email] \n", id="text"),
    ],
)
def test_a_pipe_is_answered_before_it_ends(options, given, want):
    with start(*options) as filtering:
        # A filter that waits for more would wait for ever, and the test with it.
        watchdog = threading.Timer(60, filtering.kill)
        watchdog.start()
        for _ in range(2):
            filtering.stdin.write(given)
            filtering.stdin.flush()
            assert want in filtering.stdout.readline()
        filtering.stdin.close()
        assert filtering.stderr.read() == b""
        watchdog.cancel()


def test_a_reader_that_goes_away_is_no_error_to_talk_about():
    with start("--jsonl") as filtering:
        feeding = threading.Thread(target=feed, args=(filtering.stdin, lines(EMAIL) * 20_000))
        feeding.start()
        assert b"redacted" in filtering.stdout.readline()
        filtering.stdout.close()
        assert filtering.stderr.read() == b""
        feeding.join()


def feed(pipe, given):
    try:
        pipe.write(given)
        pipe.close()
    except BrokenPipeError:
        pass


def test_nothing_of_a_server_is_imported():
    script = (
        "import sys; from controlplane.cli.main import main\n"
        "main(['redact', '--jsonl'], standalone_mode=False)\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], input=lines(EMAIL), capture_output=True, check=True)
    assert NOT_IMPORTED & set(done.stderr.decode().split()) == set()
