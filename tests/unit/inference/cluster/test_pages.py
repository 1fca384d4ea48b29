# SPDX-License-Identifier: Apache-2.0
"""The metrics of several replicas on one page."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from inference.cluster.pages import merged


def page(running: int) -> bytes:
    registry = CollectorRegistry()
    Gauge("vllm:num_requests_running", "in the batch", ["model_name"], registry=registry).labels("m").set(running)
    Counter("vllm:prompt_tokens", "of prompts", registry=registry).inc(10 * running)
    Histogram("vllm:e2e", "to the end", buckets=(1, 2), registry=registry).observe(running)
    return generate_latest(registry)


def samples(text: bytes) -> dict[tuple[str, str, str], float]:
    return {
        (sample.name, sample.labels["replica"], sample.labels.get("le", "")): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_each_series_stands_under_its_replica():
    got = samples(merged({"one": page(1), "two": page(2)}))
    assert got["vllm:num_requests_running", "one", ""] == 1
    assert got["vllm:num_requests_running", "two", ""] == 2
    assert got["vllm:prompt_tokens_total", "two", ""] == 20
    assert got["vllm:e2e_bucket", "one", "1.0"] == 1
    assert got["vllm:e2e_bucket", "two", "1.0"] == 0


def test_other_labels_stay_and_each_family_is_described_once():
    text = merged({"one": page(1), "two": page(2)}).decode()
    assert 'vllm:num_requests_running{model_name="m",replica="one"} 1.0' in text
    assert text.count("# TYPE vllm:num_requests_running gauge") == 1
    assert text.count("# TYPE vllm:prompt_tokens_total counter") == 1


def test_without_replicas_the_page_is_empty():
    assert merged({}) == b""
