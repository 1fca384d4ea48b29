# SPDX-License-Identifier: Apache-2.0
"""The choice of a token is what sampling means: the right probabilities, and a seed's own."""

from types import SimpleNamespace

import pytest
import torch
from transformers.generation.logits_process import TemperatureLogitsWarper, TopPLogitsWarper

from inference.batching.choice import GREEDY_BELOW, choosing, gumbel, noise_key, processors
from inference.job import Job

LOGITS = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0, -3.0, 1.5, 0.9])


def chosen(logits, jobs, *, seeds, position=10):
    """The tokens that a batch of these jobs takes after these logits."""
    made = processors()
    futures = [
        SimpleNamespace(
            has_new_token=True,
            state=SimpleNamespace(logit_processor_kwargs=choosing(job, seed=seed), position_offset=position),
        )
        for job, seed in zip(jobs, seeds, strict=True)
    ]
    for future in futures:
        made.check_kwargs(future.state.logit_processor_kwargs)
    storage = torch.zeros((made.tensors_required, len(jobs)), dtype=torch.int32)
    args = made.prepare_tensor_args(futures, storage)
    return made(None, logits.expand(len(jobs), -1).clone(), args).argmax(-1).tolist()


def job(**how):
    return Job(prompt=(1,), max_tokens=1, **how)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 0.9), (2.0, 0.5), (1.3, 0.2)])
def test_tokens_come_as_often_as_transformers_would_have_them(temperature, top_p):
    count = 20_000
    warped = TopPLogitsWarper(top_p)(None, TemperatureLogitsWarper(temperature)(None, LOGITS[None]))
    want = warped.softmax(-1)[0]
    got = torch.bincount(
        torch.tensor(chosen(LOGITS, [job(temperature=temperature, top_p=top_p)] * count, seeds=range(count))),
        minlength=len(LOGITS),
    )
    assert got[want == 0].sum() == 0
    # Five standard deviations: the noise is a fixed function, so that this holds or does not, on every run alike.
    assert ((got / count - want).abs() <= 5 * (want * (1 - want) / count).sqrt()).all()


def test_the_choice_does_not_depend_on_the_rest_of_the_batch():
    alone = [chosen(LOGITS, [job()], seeds=[seed])[0] for seed in range(50)]
    together = chosen(LOGITS, [job()] * 50, seeds=range(50))
    assert alone == together
    assert len(set(alone)) > 1


@pytest.mark.parametrize("temperature", [0.0, 5e-324, GREEDY_BELOW / 2])
def test_a_greedy_job_takes_the_most_likely_token_beside_others_that_sample(temperature):
    jobs = [job(temperature=temperature, top_p=0.1), job(temperature=2.0)] * 20
    assert set(chosen(LOGITS, jobs, seeds=range(40))[::2]) == {0}


def test_another_position_is_another_choice():
    chosen_at = {chosen(LOGITS, [job()], seeds=[7], position=position)[0] for position in range(30)}
    assert len(chosen_at) > 2


def test_no_key_is_the_greedy_one_and_noise_is_finite():
    keys = [noise_key(seed, 3) for seed in (-(2**63), -1, 0, 1, 2**63 - 1)]
    assert len(set(keys)) == 5
    assert noise_key(None, 3) == 0
    assert all(0 < key < 2**31 for key in keys)
    noise = gumbel(torch.tensor([keys], dtype=torch.int32).T, 100_000)
    assert not noise.isnan().any()
    assert noise.max() < 25
    # The mean of the distribution is Euler's constant.
    assert abs(noise.mean().item() - 0.5772) < 0.01
