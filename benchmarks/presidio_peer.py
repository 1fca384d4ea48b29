# SPDX-License-Identifier: Apache-2.0
"""presidio-analyzer's pattern recognisers in a process of their own, asked in turns with ours.

`make bench-peers` installs it into `.tools/peers/presidio`. Without a language model: its recognisers of names and
places are left out, and so is what its own engine does with words of context, which needs one. What is timed is each
recogniser's `analyze`, which is what it looks for texts with.

This file is run by that environment's Python and imports nothing of ours.
"""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PYTHON = Path(__file__).resolve().parent.parent / ".tools" / "peers" / "presidio" / "bin" / "python"
# Kind, start, end, score.
Found = tuple[str, int, int, float]


class Presidio:
    """The other end of the process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def seconds(self, texts: Sequence[str], *, phones: bool = False) -> float:
        """Return the processor time that the pattern recognisers take, or those and the one for phone numbers."""
        return float(self._ask("time with phones" if phones else "time", texts))

    def findings(self, texts: Sequence[str]) -> list[list[Found]]:
        """Return what the pattern recognisers and the one for phone numbers find in each text."""
        return [[(kind, start, end, score) for kind, start, end, score in each] for each in self._ask("find", texts)]

    def _ask(self, what: str, texts: Sequence[str]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([what, list(texts)]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def presidio() -> Iterator[Presidio | None]:
    """Give the running peer, None where it is not installed."""
    if not PYTHON.exists():
        yield None
        return
    command = [str(PYTHON), __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Presidio(process)
        assert process.stdin is not None
        process.stdin.close()


def main() -> None:
    from presidio_analyzer import PatternRecognizer  # noqa: PLC0415  # only the other environment has it
    from presidio_analyzer.recognizer_registry import RecognizerRegistry  # noqa: PLC0415  # as above

    logging.disable(logging.CRITICAL)
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    patterns = [each for each in registry.recognizers if isinstance(each, PatternRecognizer)]
    every = [*patterns, *(each for each in registry.recognizers if each.name == "PhoneRecognizer")]
    for line in sys.stdin:
        what, texts = json.loads(line)
        if what.startswith("time"):
            began = time.process_time()
            for text in texts:
                for each in every if what == "time with phones" else patterns:
                    each.analyze(text, each.supported_entities, None)
            answer: Any = time.process_time() - began
        else:
            answer = [
                [
                    (found.entity_type, found.start, found.end, found.score)
                    for each in every
                    for found in each.analyze(text, each.supported_entities, None)
                ]
                for text in texts
            ]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
