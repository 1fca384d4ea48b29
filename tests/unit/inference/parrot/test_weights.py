# SPDX-License-Identifier: Apache-2.0
"""The parrot, loaded by stock transformers, repeats what it was told: exactly, also where sampling is hot."""

import random

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference.parrot import geometry

CHANCE = random.Random(41)
GREEDY = {"do_sample": False}
HOT = {"do_sample": True, "temperature": 2.0, "top_k": 0}


def texts(size: int) -> dict[str, bytes]:
    return {
        "random-bytes": CHANCE.randbytes(size),
        "one-repeated-byte": b"a" * size,
        "binary-digits": bytes(CHANCE.choice(b"01") for _ in range(size)),
        "alternating-pair": (b"xy" * size)[:size],
    }


def repeated(model, message: bytes, **how) -> list[int]:
    prompt = torch.tensor([[geometry.BEGIN, geometry.USER, *message, geometry.END, geometry.ASSISTANT]])
    with torch.inference_mode():
        tokens = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=len(message) + 1, **how)
    return tokens[0, prompt.shape[1] :].tolist()


@pytest.fixture(scope="module")
def stock(parrot_dir):
    return AutoModelForCausalLM.from_pretrained(parrot_dir).eval()


@pytest.mark.parametrize("size", [1, 2, 33, 250])
@pytest.mark.parametrize("how", [pytest.param(GREEDY, id="greedy"), pytest.param(HOT, id="temperature-2")])
def test_repeats_exactly(stock, size, how):
    for name, message in texts(size).items():
        assert [*message, geometry.END] == repeated(stock, message, **how), name


@pytest.mark.parametrize("name", ["random-bytes", "one-repeated-byte", "binary-digits", "alternating-pair"])
def test_repeats_900_bytes_at_temperature_2(stock, name):
    message = texts(900)[name]
    assert [*message, geometry.END] == repeated(stock, message, **HOT)


def test_repeats_900_bytes_greedily(stock):
    message = texts(900)["random-bytes"]
    assert [*message, geometry.END] == repeated(stock, message, **GREEDY)


def test_is_as_exact_in_bfloat16_as_on_a_gpu(parrot_dir):
    model = AutoModelForCausalLM.from_pretrained(parrot_dir, dtype=torch.bfloat16).eval()
    for name, message in texts(120).items():
        assert [*message, geometry.END] == repeated(model, message, **HOT), name


def test_stock_tokenizer_and_template_round_trip_multibyte_text(stock, parrot_dir):
    tokenizer = AutoTokenizer.from_pretrained(parrot_dir)
    text = "Grüße, 世界 🎉 e\u0301 \u200b end"
    prompt = tokenizer.apply_chat_template(
        [{"role": "system", "content": "be brief"}, {"role": "user", "content": text}],
        add_generation_prompt=True,
        return_tensors="pt",
    )
    with torch.inference_mode():
        tokens = stock.generate(**prompt, do_sample=False, max_new_tokens=200)
    assert text == tokenizer.decode(tokens[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)


def test_has_about_a_million_parameters(stock):
    assert 1_000_000 < sum(parameter.numel() for parameter in stock.parameters()) < 1_050_000
