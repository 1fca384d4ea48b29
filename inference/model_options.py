# SPDX-License-Identifier: Apache-2.0
"""The options that say which models are served: read together, because each one's limits are named by its name."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from inference.settings import DEFAULT_QUEUE_SIZE, ModelSettings, SettingsWrong

MOST_RUNNING: Final = 1024  # more than any batch is of use for
LEAST_CONTEXT: Final = 2  # one token of a prompt and one of an answer
MOST_QUEUED: Final = 10_000


def read_models(
    *,
    model_dir: Path | None,
    names: Sequence[str],
    models: Sequence[str],
    bundled: ModelSettings | None = None,
    queue_sizes: Sequence[str],
    max_contexts: Sequence[str],
    max_running: Sequence[str] = (),
    kv_caches: Sequence[str] = (),
    none_is_fine: bool = False,
) -> tuple[ModelSettings, ...]:
    """The models of `--model-dir` with its `--name`s and of each `--model NAME=DIR`, and `bundled`, with their limits.

    A limit is a number for every model, or NAME=NUMBER for one.
    """
    directories: list[tuple[tuple[str, ...], Path]] = []
    if model_dir is not None or names:
        if model_dir is None or not names:
            raise SettingsWrong("--model-dir and --name belong together: give both, or --model NAME=DIR")
        directories.append((tuple(dict.fromkeys(names)), model_dir))
    directories += [((name,), Path(folder)) for name, folder in (_pair(model) for model in models)]
    if bundled is not None:
        directories.append((bundled.names, bundled.directory))
    if not directories and not none_is_fine:
        raise SettingsWrong(
            "no model: give --model NAME=DIR, or --model-dir and --name; or --screen, to serve the prompt screen alone"
        )
    known = [name for each, _ in directories for name in each]
    if twice := sorted({name for name in known if known.count(name) > 1}):
        raise SettingsWrong(f"two models have the name {twice[0]!r}: give each its own")
    queues = _limits("--queue-size", queue_sizes, known, low=1, high=MOST_QUEUED)
    contexts = _limits("--max-context", max_contexts, known, low=LEAST_CONTEXT, high=None)
    running = _limits("--max-running", max_running, known, low=1, high=MOST_RUNNING)
    caches = _limits("--kv-cache-mib", kv_caches, known, low=1, high=None)
    return tuple(
        ModelSettings(
            names=each,
            directory=folder,
            queue_size=_limit_of(each, queues) or DEFAULT_QUEUE_SIZE,
            max_context=_limit_of(each, contexts),
            max_running=_limit_of(each, running),
            kv_cache_mib=_limit_of(each, caches),
        )
        for each, folder in directories
    )


def _pair(model: str) -> tuple[str, str]:
    name, equals, folder = model.partition("=")
    if not (name and equals and folder):
        raise SettingsWrong(f"--model {model!r} is not NAME=DIR")
    return name, folder


def _limits(
    option: str, given: Iterable[str], names: Sequence[str], *, low: int, high: int | None
) -> Mapping[str, int]:
    """The limit by model's name; that for every model under the empty name."""
    limits: dict[str, int] = {}
    for each in given:
        name, _, number = each.rpartition("=")
        if name and name not in names:
            raise SettingsWrong(f"{option} {each!r}: no model has the name {name!r}")
        if not (number.isascii() and number.isdecimal()) or len(number) > len(str(2**63)):
            raise SettingsWrong(f"{option} {each!r} is neither a number nor NAME=NUMBER")
        limit = int(number)
        if limit < low or (high is not None and limit > high):
            raise SettingsWrong(
                f"{option} {each!r}: the number must be at least {low}" + (f", at most {high}" * bool(high))
            )
        if name in limits:
            raise SettingsWrong(f"{option} is given twice for {name or 'every model'}")
        limits[name] = limit
    return limits


def _limit_of(names: Iterable[str], limits: Mapping[str, int]) -> int | None:
    """The limit that names the model, else that for all."""
    own = [limits[name] for name in names if name in limits]
    return min(own) if own else limits.get("")
