# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from inference.screen.encoder import Encoder
from inference.screen.scorer import MiniLmScorer, NgramScorer
from tests.unit.inference.screen.fakes import FakeScorer, judge_of


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    torch.set_num_threads(1)
    return Encoder()


@pytest.fixture(scope="session")
def minilm() -> MiniLmScorer:
    torch.set_num_threads(1)
    return MiniLmScorer()


@pytest.fixture(scope="session")
def ngram() -> NgramScorer:
    return NgramScorer()


@pytest.fixture
def scorer() -> FakeScorer:
    return FakeScorer()


@pytest.fixture
def judge(scorer):
    return judge_of(scorer)
