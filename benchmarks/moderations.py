# SPDX-License-Identifier: Apache-2.0
"""What the prompt screen's endpoint takes: a server of its own on a Unix socket, asked by 1, 8 and 32 at once.

    python -m benchmarks.moderations [--seconds 10] [--classifier minilm]

Each question is one text of some 250 tokens that was never asked before, so that no score is kept.
"""

import argparse
import datetime as dt
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from itertools import count
from pathlib import Path

import httpx

ASKERS = (1, 8, 32)
SENTENCES = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--classifier", default="minilm", choices=["minilm", "ngram"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(Path(folder), asked.seconds, asked.classifier), indent=1))


def measured(folder: Path, seconds: float, classifier: str) -> dict:
    log = folder / "log"
    command = [sys.executable, "-m", "inference", "serve", "--screen", "--screen-classifier", classifier]
    with log.open("w") as told:
        server = subprocess.Popen([*command, "--socket", folder / "screen.sock"], stderr=told)
    try:
        started = listening(log)
        runs = [
            at_once(folder / "screen.sock", server.pid, started["metrics_port"], askers, seconds) for askers in ASKERS
        ]
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    loaded = next(event for event in events(log) if event["event"] == "screen_loaded")
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0]},
        "python": platform.python_version(),
        "screen": {name: loaded[name] for name in ("classifier", "rules", "structure", "device")},
        "runs": runs,
    }


def events(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]


def listening(log: Path) -> dict:
    for _ in range(600):
        if found := [event for event in events(log) if event["event"] == "server_listening"]:
            return found[0]
        time.sleep(0.2)
    raise SystemExit("the server does not listen")


def at_once(socket: Path, pid: int, metrics_port: int, askers: int, seconds: float) -> dict:
    numbers, waits, over = count(), [], time.monotonic() + seconds
    before, cpu = windows(metrics_port), cpu_of(pid)

    def ask() -> None:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://screen", timeout=60) as http:
            while time.monotonic() < over:
                begun_at = time.monotonic()
                body = {"input": text(askers * 1_000_000 + next(numbers)), "gatehouse": {"deadline_ms": 60_000}}
                answer = http.post("/v1/moderations", json=body).raise_for_status().json()
                waits.append(time.monotonic() - begun_at)
                if not answer["gatehouse"]["complete"]:
                    raise SystemExit("a text was not examined whole")

    threads = [threading.Thread(target=ask) for _ in range(askers)]
    begun_at = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - begun_at
    cuts = statistics.quantiles(waits, n=100)
    return {
        "askers": askers,
        "questions": len(waits),
        "questions_per_s": round(len(waits) / took, 1),
        "windows_per_s": round((windows(metrics_port) - before) / took, 1),
        "cpu_ms_per_question": round((cpu_of(pid) - cpu) * 1000 / len(waits), 1),
        **{f"p{at}_ms": round(cuts[at - 1] * 1000, 1) for at in (50, 95, 99)},
    }


def text(number: int) -> str:
    """Some 250 tokens, none of whose sentences stands in another."""
    return " ".join(
        f"In month {at} the office of district {number} counted {number * 31 + at} letters and sent them on."
        for at in range(SENTENCES)
    )


def windows(port: int) -> float:
    page = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    name = 'gatehouse_screen_windows_total{how="scored"} '
    return next(float(line.removeprefix(name)) for line in page.splitlines() if line.startswith(name))


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
