# SPDX-License-Identifier: Apache-2.0
"""What a model directory must hold, looked at before any library reads it.

Rules
    Weights are safetensors: unpickling runs whatever code a file names.
    No code of the directory's own: a configuration that asks for it is refused, not only not obeyed.
    Every file is in the directory: what lies elsewhere is not what the operator named, and not in the digest.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from inference.settings import ModelRefused

PICKLES: Final = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".npy", ".npz", ".h5", ".msgpack"})
_INDEX: Final = "model.safetensors.index.json"
# Files by which transformers could be told to import a module of the directory.
_MAY_NAME_CODE: Final = ("config.json", "tokenizer_config.json", "processor_config.json", "generation_config.json")
# No configuration is that large; a tokenizer's vocabulary may be.
_MOST_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """A directory that may be loaded."""

    folder: Path
    weights: tuple[Path, ...]
    config: Mapping[str, Any]

    @property
    def makes_embeddings(self) -> bool:
        """Whether it is an encoder: sentence-transformers' list of modules says so, or the architecture's name."""
        if (self.folder / "modules.json").is_file():
            return True
        architectures = self.config.get("architectures")
        return (
            isinstance(architectures, list)
            and bool(architectures)
            and all(isinstance(name, str) and name.endswith("Model") for name in architectures)
        )

    def digest(self) -> str:
        """The weights' SHA-256; of several files, that of the list which sha256sum prints of them."""
        digests = []
        for file in self.weights:
            with file.open("rb") as content:
                digests.append(hashlib.file_digest(content, "sha256").hexdigest())
        if len(digests) == 1:
            return f"sha256:{digests[0]}"
        listing = "".join(f"{digest}  {file.name}\n" for digest, file in zip(digests, self.weights, strict=True))
        return f"sha256:{hashlib.sha256(listing.encode()).hexdigest()}"


def model_files(folder: Path) -> ModelFiles:
    """The directory's files. Raises ModelRefused with what is wrong and what would be right."""
    if not folder.is_dir():
        raise ModelRefused(f"{folder} is not a directory")
    _require_own_files(folder)
    weights = _weights(folder)
    config = read_object(folder, "config.json")
    _require_shards(folder, weights)
    for name in _MAY_NAME_CODE:
        if (folder / name).is_file() and "auto_map" in read_object(folder, name):
            raise ModelRefused(
                f"{folder}: {name} asks for code of the directory's own (auto_map), which is never run: "
                "take the member out if transformers knows this architecture by itself"
            )
    if not (folder / "tokenizer.json").is_file():
        raise ModelRefused(f"{folder} has no tokenizer.json: save its tokenizer in the fast format")
    return ModelFiles(folder=folder, weights=weights, config=config)


def read_object(folder: Path, name: str) -> Mapping[str, Any]:
    """The JSON object in a file of the directory."""
    try:
        with (folder / name).open("rb") as file:
            content = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError) as exc:
        raise ModelRefused(f"{folder} has no readable {name}") from exc
    if not isinstance(content, dict):
        raise ModelRefused(f"{folder}: {name} is not an object")
    return content


def _require_own_files(folder: Path) -> None:
    own = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not path.resolve().is_relative_to(own):
            raise ModelRefused(
                f"{folder}: {path.relative_to(folder)} is a link out of the directory: copy the files (cp -rL)"
            )


def _weights(folder: Path) -> tuple[Path, ...]:
    weights = tuple(sorted(path for path in folder.glob("*.safetensors") if path.is_file()))
    if weights:
        return weights
    if any(file.suffix in PICKLES for file in folder.iterdir()):
        raise ModelRefused(f"{folder} holds pickled weights only, which can run code: convert them to safetensors")
    raise ModelRefused(f"{folder} holds no *.safetensors")


def _require_shards(folder: Path, weights: Sequence[Path]) -> None:
    """Of weights in several files, each that the index names is there, beside it."""
    if not (folder / _INDEX).is_file():
        return
    named = read_object(folder, _INDEX).get("weight_map")
    if not isinstance(named, dict) or not all(isinstance(file, str) for file in named.values()):
        raise ModelRefused(f"{folder}: {_INDEX} has no weight_map of file names")
    if missing := sorted(set(named.values()) - {file.name for file in weights}):
        raise ModelRefused(f"{folder}: {_INDEX} names {missing[0]!r}, which is not there")
