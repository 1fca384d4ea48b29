# SPDX-License-Identifier: Apache-2.0
"""The inference server on a real GPU: in bf16 the parrot must repeat as exactly as on the CPU."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


@pytest.fixture
def server(tmp_path: Path, free_port: int):
    if shutil.which("nvidia-smi") is None:
        pytest.skip("no GPU")
    model, log = tmp_path / "parrot", tmp_path / "log"
    subprocess.run([sys.executable, "-m", "inference", "build-parrot", str(model)], check=True, timeout=110)
    command = ["serve", "--model-dir", str(model), "--name", "parrot", "--port", str(free_port), "--insecure-loopback"]
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "inference", *command], stdout=output, stderr=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{free_port}", timeout=30) as client:
            for _ in range(600):
                try:
                    client.get("/readyz").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.1)
            yield client, log
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_parrot_repeats_exactly_on_the_gpu(server):
    client, log = server
    loaded = [json.loads(line) for line in log.read_text().splitlines() if '"model_loaded"' in line]
    assert loaded[0]["device"].startswith("cuda")
    said = "Polly wants a cracker, 4111 1111 1111 1111, and nothing else: äöü."
    asked = {"model": "parrot", "messages": [{"role": "user", "content": said}]}
    answer = client.post("/v1/chat/completions", json=asked).json()
    assert said == answer["choices"][0]["message"]["content"]
