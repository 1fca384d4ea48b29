# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's library is somebody else's, and needs a driver: here its functions are replaced."""

from types import SimpleNamespace

import pynvml
import pytest

from inference.metrics.gpu import GpuSample, open_gpus, sample_gpus


@pytest.fixture
def three_gpus(monkeypatch):
    """One whole, one without figures of its use (as a slice has none), one that is lost."""

    def handle(index):
        if index == 2:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return index

    def rates(gpu):
        if gpu == 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(gpu=37, memory=5)

    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 3)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", handle)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda gpu: SimpleNamespace(used=10 + gpu, total=100))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUUID", lambda gpu: f"GPU-{gpu}")
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", rates)


def test_what_does_not_answer_is_left_out(three_gpus):
    assert list(sample_gpus()) == [
        GpuSample(index=0, uuid="GPU-0", memory_used_bytes=10, memory_total_bytes=100, utilization=0.37),
        GpuSample(index=1, uuid="GPU-1", memory_used_bytes=11, memory_total_bytes=100, utilization=None),
    ]


def test_without_a_driver_there_is_nothing_to_ask(monkeypatch):
    def missing():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", missing)
    assert open_gpus() is False
