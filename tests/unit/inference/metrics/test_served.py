# SPDX-License-Identifier: Apache-2.0
import pytest
from prometheus_client.parser import text_string_to_metric_families

from inference.load import EngineLoad, Outcome
from inference.metrics.families import FAMILIES
from inference.metrics.gpu import GpuSample
from inference.metrics.served import ServingMetrics

GPUS = (
    GpuSample(index=0, uuid="GPU-a", memory_used_bytes=5, memory_total_bytes=10, utilization=0.5),
    GpuSample(index=1, uuid="MIG-b", memory_used_bytes=1, memory_total_bytes=2, utilization=None),
)
AT = {"model_name": "parrot", "engine": "0"}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def metrics(clock):
    metrics = ServingMetrics(clock=clock, gpus=lambda: GPUS)
    metrics.watch("parrot", lambda: EngineLoad(waiting=3, running=2, cache_usage=0.25))
    metrics.model_loaded(("parrot", "polly"), "sha256:ab")
    return metrics


def values(metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.page().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value for each in families for sample in each.samples
    }


def value(metrics, name: str, **labels: str) -> float | None:
    return values(metrics).get((name, frozenset(labels.items())))


def test_the_page_has_each_metric_with_its_kind_and_labels(metrics):
    observer = metrics.observer("parrot")
    observer.first_token(after_s=0.1)
    metrics.embedded("parrot", 7)
    metrics.refused(429, "engine_overloaded")
    page = metrics.page().decode()
    kinds = {line.split()[2]: line.split()[3] for line in page.splitlines() if line.startswith("# TYPE ")}
    labels = {name: {label for label, _ in at} for name, at in values(metrics)}
    for family in FAMILIES:
        assert family.kind.value == kinds[family.name]
        sample = f"{family.name}_count" if family.buckets else family.name
        assert set(family.labels) == labels[sample]
    ours = {name for name in kinds if name.startswith(("vllm:", "gatehouse_")) and not name.endswith("_created")}
    assert {family.name for family in FAMILIES} == ours


def test_gauges_are_read_when_they_are_asked_for(metrics):
    assert value(metrics, "vllm:num_requests_waiting", **AT) == 3
    assert value(metrics, "vllm:num_requests_running", **AT) == 2
    assert value(metrics, "vllm:kv_cache_usage_perc", **AT) == 0.25
    assert value(metrics, "gatehouse_inference_ready") == 0
    metrics.watch_readiness(lambda: True)
    assert value(metrics, "gatehouse_inference_ready") == 1
    for name in ("parrot", "polly"):
        assert value(metrics, "gatehouse_inference_model_info", model_name=name, digest="sha256:ab") == 1


def test_a_job_is_told_once_in_each_metric(metrics):
    observer = metrics.observer("parrot")
    observer.begun(prompt_tokens=11, queue_s=0.4)
    observer.first_token(after_s=0.5)
    observer.tokens(1)
    observer.tokens(4)
    observer.ended(Outcome.STOP, completion_tokens=5, after_s=2.5, first_token_after_s=0.5)
    assert value(metrics, "vllm:prompt_tokens_total", **AT) == 11
    assert value(metrics, "vllm:generation_tokens_total", **AT) == 5
    assert value(metrics, "vllm:request_success_total", finished_reason="stop", **AT) == 1
    assert value(metrics, "vllm:request_success_total", finished_reason="length", **AT) == 0
    assert value(metrics, "vllm:request_queue_time_seconds_sum", **AT) == 0.4
    assert value(metrics, "vllm:time_to_first_token_seconds_sum", **AT) == 0.5
    assert value(metrics, "vllm:e2e_request_latency_seconds_sum", **AT) == 2.5
    assert value(metrics, "vllm:request_time_per_output_token_seconds_sum", **AT) == 0.5


@pytest.mark.parametrize(("outcome", "reason"), [(Outcome.CANCELLED, "abort"), (Outcome.FAILED, "error")])
def test_a_job_that_came_to_nothing_says_nothing_of_how_long_others_take(metrics, outcome, reason):
    observer = metrics.observer("parrot")
    observer.ended(outcome, completion_tokens=5, after_s=2.5, first_token_after_s=0.5)
    assert value(metrics, "vllm:request_success_total", finished_reason=reason, **AT) == 1
    assert value(metrics, "vllm:e2e_request_latency_seconds_count", **AT) == 0
    assert value(metrics, "vllm:request_time_per_output_token_seconds_count", **AT) == 0


def test_tokens_a_second_are_those_of_the_last_seconds(metrics, clock):
    observer = metrics.observer("parrot")
    rates = []
    for second, tokens in ((1000.0, 30), (1000.9, 10), (1005.0, 60), (1009.9, 0), (1010.0, 0), (1020.0, 0)):
        clock.now = second
        observer.tokens(tokens)
        rates.append(value(metrics, "gatehouse_inference_generation_tokens_per_second", **AT))
    assert rates == [3.0, 4.0, 10.0, 10.0, 6.0, 0.0]


def test_gpus_are_told_as_far_as_they_tell(metrics):
    assert value(metrics, "gatehouse_inference_gpu_utilization_ratio", gpu="0", uuid="GPU-a") == 0.5
    assert value(metrics, "gatehouse_inference_gpu_utilization_ratio", gpu="1", uuid="MIG-b") is None
    assert value(metrics, "gatehouse_inference_gpu_memory_used_bytes", gpu="1", uuid="MIG-b") == 1
    assert value(metrics, "gatehouse_inference_gpu_memory_total_bytes", gpu="0", uuid="GPU-a") == 10


def test_without_a_gpu_there_is_no_word_of_one(monkeypatch):
    monkeypatch.setattr("inference.metrics.served.open_gpus", lambda: False)
    assert "_gpu_" not in ServingMetrics().page().decode()
