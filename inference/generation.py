# SPDX-License-Identifier: Apache-2.0
"""One answer at a time, from transformers' own `generate()`.

Theory: `generate()` asks its stopping criteria after every token. One criterion of ours reads the newest token, turns
it into text and says whether to go on. A streamer would be told only after the criteria had answered: one step too late
to stop at its token.
"""

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor
from transformers.generation.configuration_utils import GenerationConfig
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList

from inference.job import Finished, FinishReason, Job
from inference.loading import LoadedModel
from inference.text import StopFilter, TextStream

# Dividing logits by less than this overflows float32 in the end; the most likely token is then certain anyway.
GREEDY_BELOW: Final = 1e-5

_config: Callable[..., GenerationConfig] = GenerationConfig  # its constructor is untyped


def generate(
    loaded: LoadedModel, job: Job, *, on_text: Callable[[str], None], is_cancelled: Callable[[], bool]
) -> Finished:
    """Runs the model until it ends, and hands over each piece of text on the way.

    MUST be called by one thread at a time: neither a model nor torch's random numbers are made for more.
    """
    listener = _Listener(loaded, job, on_text=on_text, is_cancelled=is_cancelled)
    # A seed gives the same answer again. Without one, the numbers must not go on from the last client's seed.
    if job.seed is None:
        torch.seed()
    else:
        torch.manual_seed(job.seed)
    prompt = torch.tensor([job.prompt], device=loaded.model.device)
    with torch.inference_mode():
        loaded.model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            generation_config=_configuration(job, loaded.end_tokens),
            stopping_criteria=StoppingCriteriaList([listener]),
        )
    return listener.finish()


def _configuration(job: Job, end_tokens: frozenset[int]) -> GenerationConfig:
    """The request's parameters; what the API has no word for stays as the model's own configuration has it."""
    ends = sorted(end_tokens)
    chosen: dict[str, Any] = {
        "max_new_tokens": job.max_tokens,
        "eos_token_id": ends or None,
        "pad_token_id": ends[0] if ends else 0,
        "use_cache": True,
        "num_beams": 1,
    }
    if job.temperature < GREEDY_BELOW:
        return _config(do_sample=False, **chosen)
    # top_k=0: transformers keeps the 50 most likely tokens unless told otherwise. OpenAI's interface has no such cut.
    return _config(do_sample=True, temperature=job.temperature, top_p=job.top_p, top_k=0, **chosen)


class _Listener(StoppingCriteria):
    """Reads each new token and stops the generation at an end token, at a stop sequence, or when nobody listens."""

    def __init__(
        self, loaded: LoadedModel, job: Job, *, on_text: Callable[[str], None], is_cancelled: Callable[[], bool]
    ) -> None:
        self._end_tokens = loaded.end_tokens
        self._text = TextStream(loaded.decode)
        self._stop = StopFilter(job.stop)
        self._on_text = on_text
        self._is_cancelled = is_cancelled
        self._reason: FinishReason | None = None
        self._count = 0
        device = loaded.model.device
        self._go_on = torch.zeros(1, dtype=torch.bool, device=device)
        self._halt = torch.ones(1, dtype=torch.bool, device=device)

    def __call__(self, input_ids: Tensor, _scores: Any, **_: Any) -> Tensor:
        token = int(input_ids[0, -1])
        self._count += 1
        self._give(self._text.feed(token))
        if self._is_cancelled():
            self._reason = FinishReason.CANCELLED
        elif token in self._end_tokens or self._stop.stopped:
            self._reason = FinishReason.STOP
        return self._go_on if self._reason is None else self._halt

    def finish(self) -> Finished:
        if self._reason is not FinishReason.CANCELLED:
            self._give(self._text.finish())
            # The last, unfinished character may complete a stop sequence.
            if self._stop.stopped:
                self._reason = FinishReason.STOP
            if rest := self._stop.finish():
                self._on_text(rest)
        return Finished(reason=self._reason or FinishReason.LENGTH, completion_tokens=self._count)

    def _give(self, text: str) -> None:
        if text and (ready := self._stop.feed(text)):
            self._on_text(ready)
