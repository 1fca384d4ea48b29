# SPDX-License-Identifier: Apache-2.0
"""The rules for scaling and alerts, read against a page in vLLM's form and against our own: one rule fits both."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from inference.load import EngineLoad, Outcome
from inference.metrics.families import FAMILIES
from inference.metrics.served import ServingMetrics

ROOT = Path(__file__).resolve().parents[4]
RULES = ROOT / "docs" / "how-to" / "inference-rules.yaml"
PAGE = ROOT / "docs" / "how-to" / "put-vllm-behind-the-proxy.md"
IN_VLLMS_FORM = ROOT / "tests" / "fixtures" / "vllm-metrics.txt"
NAMED = re.compile(r"(vllm:\w+)(?:\{(\w+)=\"(\w+)\"\})?")

Samples = Mapping[str, list[dict[str, str]]]


def samples(page: str) -> Samples:
    """The labels of each sample, by its name."""
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


@pytest.fixture(params=["vllm", "ours"])
def page(request) -> Samples:
    if request.param == "vllm":
        return samples(IN_VLLMS_FORM.read_text())
    metrics = ServingMetrics(gpus=tuple)
    observer = metrics.observer("llama-3-8b")
    metrics.watch("llama-3-8b", lambda: EngineLoad(waiting=20, running=12, cache_usage=0.41))
    observer.ended(Outcome.STOP, completion_tokens=2, after_s=1.0, first_token_after_s=0.5)
    return samples(metrics.page().decode())


def rules() -> list[dict]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("record") or rule["alert"])
def test_each_rule_finds_what_it_reads(page, rule):
    named = NAMED.findall(rule["expr"])
    assert named
    for name, label, value in named:
        assert name in page
        assert any("model_name" in labels for labels in page[name])
        if label:
            assert value in {labels.get(label) for labels in page[name]}


def test_what_both_have_has_the_same_labels_and_buckets():
    ours = {family.name: family for family in FAMILIES if family.name.startswith("vllm:")}
    theirs = samples(IN_VLLMS_FORM.read_text())
    assert set(ours) == set(re.findall(r"^\| `(vllm:\w+)` \|", PAGE.read_text(), re.MULTILINE))
    for name, family in ours.items():
        sampled = theirs[f"{name}_bucket" if family.buckets else name]
        assert all(set(family.labels) == set(labels) - {"le"} for labels in sampled)
        bounds = {float(labels["le"]) for labels in sampled if "le" in labels} - {float("inf")}
        assert bounds == set(family.buckets)
