# SPDX-License-Identifier: Apache-2.0
"""How busy the GPUs are and how full, as NVIDIA's management library says. Without a GPU there is nothing to say."""

from collections.abc import Iterator
from dataclasses import dataclass

import pynvml


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSample:
    index: int
    uuid: str
    memory_used_bytes: int
    memory_total_bytes: int
    utilization: float | None  # 0 to 1; None where the library does not say, on a slice of a GPU (MIG) for instance


def open_gpus() -> bool:
    """Whether there is a driver to ask. Once per process; the library is never closed, so that any thread may ask."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return False
    return True


def sample_gpus() -> Iterator[GpuSample]:
    """One look at each GPU. One that does not answer (lost, or held by another tenant) is left out."""
    for index in range(pynvml.nvmlDeviceGetCount()):
        try:
            gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(gpu)
            uuid = str(pynvml.nvmlDeviceGetUUID(gpu))
        except pynvml.NVMLError:
            continue
        yield GpuSample(
            index=index,
            uuid=uuid,
            memory_used_bytes=int(memory.used),
            memory_total_bytes=int(memory.total),
            utilization=_utilization(gpu),
        )


def _utilization(gpu: object) -> float | None:
    try:
        return float(pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu) / 100
    except pynvml.NVMLError:
        return None
