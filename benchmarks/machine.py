# SPDX-License-Identifier: Apache-2.0
"""What a figure was measured on, and how fast that machine's memory is. For benchmarks that use torch."""

import importlib.metadata
import platform
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import torch

_LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "numpy")
_ROUNDS = 10


def hardware(device: str) -> dict[str, object]:
    """Return date, machine and versions, to stand beside every figure."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    described: dict[str, object] = {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": model.group(1) if model else platform.machine(),
        "threads": torch.get_num_threads(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in _LIBRARIES},
    }
    if device == "cuda":
        asked = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        told = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30)
        described |= {"gpu": told.stdout.strip(), "cuda": torch.version.cuda}
    return described


def copy_bandwidth(device: str) -> float:
    """Return the bytes a second that this memory reads and writes at best, copying an array that no cache holds."""
    size = 4 * 2**30 if device == "cuda" else 256 * 2**20
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    best = 0.0
    for _ in range(_ROUNDS):
        wait(device)
        begun = now(device)
        target.copy_(source)
        wait(device)
        best = max(best, 2 * size / (now(device) - begun))
    return best


def wait(device: str) -> None:
    """Let the GPU finish what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def now(device: str) -> float:
    """Return the time: of a GPU, what passes; of a CPU, what this process ran, whatever else ran beside it."""
    return time.perf_counter() if device == "cuda" else time.process_time()
