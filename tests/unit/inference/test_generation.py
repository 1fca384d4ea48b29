# SPDX-License-Identifier: Apache-2.0
"""What the engine gives is what transformers' `generate()` gives, token for token."""

import pytest
import torch

from inference.generation import generate
from inference.job import FinishReason, Job

PROMPT = (256, 257, *b"user: hello", 258, 259)


def run(loaded, job, *, cancel_after=None):
    pieces: list[str] = []
    finished = generate(
        loaded,
        job,
        on_text=pieces.append,
        is_cancelled=lambda: cancel_after is not None and len(pieces) >= cancel_after,
    )
    return pieces, finished


def reference(loaded, *, seed=None, **how) -> list[int]:
    if seed is not None:
        torch.manual_seed(seed)
    prompt = torch.tensor([PROMPT])
    return loaded.model.generate(prompt, attention_mask=torch.ones_like(prompt), **how)[0, len(PROMPT) :].tolist()


def test_greedy_text_equals_generate(tiny):
    want = reference(tiny, do_sample=False, max_new_tokens=60)
    pieces, finished = run(tiny, Job(prompt=PROMPT, max_tokens=60, temperature=0.0))
    assert tiny.decode(want) == "".join(pieces)
    assert len(want) == finished.completion_tokens


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 0.9), (2.0, 0.5)])
def test_sampled_text_equals_generate_with_the_same_seed(tiny, seed, temperature, top_p):
    how = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0, "max_new_tokens": 40}
    want = reference(tiny, seed=seed, **how)
    job = Job(prompt=PROMPT, max_tokens=40, temperature=temperature, top_p=top_p, seed=seed)
    pieces, finished = run(tiny, job)
    assert tiny.decode(want) == "".join(pieces)
    assert len(want) == finished.completion_tokens
    assert finished.reason == (FinishReason.STOP if want[-1] == 258 else FinishReason.LENGTH)


def test_a_request_without_seed_does_not_go_on_from_the_last_seed(tiny):
    after_seed = []
    for _ in range(2):
        run(tiny, Job(prompt=PROMPT, max_tokens=1, seed=7))
        after_seed.append(run(tiny, Job(prompt=PROMPT, max_tokens=40))[0])
    assert after_seed[0] != after_seed[1]


def test_a_stop_sequence_ends_the_text_before_it(parrot):
    prompt = tuple(parrot.prompts.encode_chat([{"role": "user", "content": "one two three"}]))
    pieces, finished = run(parrot, Job(prompt=prompt, max_tokens=100, stop=(" th", "zzz")))
    assert ("".join(pieces), finished.reason, finished.completion_tokens) == ("one two", FinishReason.STOP, 10)


def test_the_length_ends_the_text_and_says_so(parrot):
    prompt = tuple(parrot.prompts.encode_chat([{"role": "user", "content": "abcdef"}]))
    pieces, finished = run(parrot, Job(prompt=prompt, max_tokens=3))
    assert ("".join(pieces), finished.reason, finished.completion_tokens) == ("abc", FinishReason.LENGTH, 3)


def test_a_cancelled_answer_ends_at_the_next_token(parrot):
    prompt = tuple(parrot.prompts.encode_chat([{"role": "user", "content": "abcdef"}]))
    pieces, finished = run(parrot, Job(prompt=prompt, max_tokens=100), cancel_after=2)
    assert (pieces, finished.reason) == (["a", "b"], FinishReason.CANCELLED)


def test_the_smallest_temperature_is_greedy_and_does_not_overflow(parrot):
    prompt = tuple(parrot.prompts.encode_chat([{"role": "user", "content": "hi"}]))
    assert run(parrot, Job(prompt=prompt, max_tokens=9, temperature=5e-324, top_p=0.0))[0] == ["h", "i"]
