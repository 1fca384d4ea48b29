# SPDX-License-Identifier: Apache-2.0
"""The parrot as a local Hugging Face directory.

The stamp `parrot.json` is written last and holds the digest of every other file and of the recipe: a build that was
killed half way, a changed file or a newer recipe is found by it, and built anew.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Final

from inference.parrot import geometry

STAMP: Final = "parrot.json"


def build_parrot(folder: Path) -> bool:
    """Makes sure that the folder holds the whole model. True when it had to be built, False when it was there."""
    if is_complete(folder):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STAMP).unlink(missing_ok=True)
    files = _files()
    for name, content in files.items():
        _write(folder / name, content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    _write(folder / STAMP, _json({"files": digests, "recipe": _recipe()}))
    return True


def is_complete(folder: Path) -> bool:
    """Whether every file is there, unchanged, and made by this recipe. Imports no torch."""
    try:
        stamp = json.loads((folder / STAMP).read_bytes())
        return bool(
            stamp["recipe"] == _recipe()
            and all(
                hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
                for name, digest in stamp["files"].items()
            )
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _recipe() -> str:
    """The digest of this package's source: another recipe is another model."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return f"sha256:{digest.hexdigest()}"


def _files() -> dict[str, bytes]:
    # Imported here: a start that finds the model complete must not wait a second for torch.
    from safetensors.torch import save  # noqa: PLC0415

    from inference.parrot.alphabet import CHAT_TEMPLATE, byte_tokenizer  # noqa: PLC0415
    from inference.parrot.weights import parrot_weights  # noqa: PLC0415

    begin, _, end, _ = geometry.MARKERS
    return {
        "model.safetensors": save(parrot_weights(), metadata={"format": "pt"}),
        "config.json": _json(_model_config()),
        "generation_config.json": _json(
            {"bos_token_id": geometry.BEGIN, "eos_token_id": geometry.END, "pad_token_id": geometry.END}
        ),
        "tokenizer.json": byte_tokenizer().to_str(pretty=True).encode(),
        "tokenizer_config.json": _json(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "bos_token": begin,
                "eos_token": end,
                "pad_token": end,
                "clean_up_tokenization_spaces": False,
                "model_max_length": geometry.CONTEXT_TOKENS,
            }
        ),
        "chat_template.jinja": CHAT_TEMPLATE.encode(),
    }


def _model_config() -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "vocab_size": geometry.VOCABULARY,
        "hidden_size": geometry.HIDDEN,
        "intermediate_size": geometry.FEED_FORWARD,
        "num_hidden_layers": geometry.LAYERS,
        "num_attention_heads": geometry.QUERY_HEADS,
        "num_key_value_heads": geometry.KEY_HEADS,
        "head_dim": geometry.HEAD,
        "hidden_act": "silu",
        "max_position_embeddings": geometry.CONTEXT_TOKENS,
        "rms_norm_eps": geometry.NORM_EPSILON,
        "rope_parameters": {"rope_type": "default", "rope_theta": geometry.ROPE_BASE},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "use_cache": True,
        "bos_token_id": geometry.BEGIN,
        "eos_token_id": geometry.END,
        "pad_token_id": geometry.END,
    }


def _json(content: object) -> bytes:
    return json.dumps(content, indent=2, sort_keys=True).encode() + b"\n"


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: a reader never sees half a file, whatever kills the writer."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as part:
        part.write(content)
        part.flush()
        os.fsync(part.fileno())
    Path(part.name).chmod(0o644)
    Path(part.name).replace(path)
