# SPDX-License-Identifier: Apache-2.0
import hashlib
import json

import pytest

from inference.model_files import model_files
from inference.settings import ModelRefused


@pytest.fixture
def folder(tmp_path):
    """A directory that may be loaded, as far as this module looks."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def index(folder, *files: str) -> None:
    shards = {f"tensor-{number}": file for number, file in enumerate(files)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


def without_weights(folder) -> None:
    (folder / "model.safetensors").unlink()


def pickled(folder) -> None:
    without_weights(folder)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")


def with_code(file):
    def change(folder) -> None:
        (folder / file).write_text(json.dumps({"auto_map": {"AutoModel": "modeling.Own"}}))

    return change


def linked(folder) -> None:
    (folder.parent / "elsewhere.json").write_text("{}")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").symlink_to("../elsewhere.json")


def linked_below(folder) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").symlink_to("/etc/hostname")


def linked_folder(folder) -> None:
    (folder / "1_Pooling").symlink_to("/etc")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param(without_weights, r"no \*\.safetensors", id="no-weights"),
        pytest.param(pickled, "pickled weights only", id="pickles"),
        pytest.param(lambda folder: (folder / "config.json").unlink(), "no readable config.json", id="no-config"),
        pytest.param(
            lambda folder: (folder / "config.json").write_text("[" * 100_000), "no readable", id="deep-config"
        ),
        pytest.param(lambda folder: (folder / "config.json").write_text("[]"), "not an object", id="config-a-list"),
        pytest.param(lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer.json", id="no-tokenizer"),
        pytest.param(with_code("config.json"), r"config\.json asks for code", id="code-for-the-model"),
        pytest.param(with_code("tokenizer_config.json"), r"tokenizer_config\.json asks", id="code-for-the-tokenizer"),
        pytest.param(linked, r"tokenizer\.json is a link out", id="a-link-out"),
        pytest.param(linked_below, r"1_Pooling/config\.json is a link out", id="a-link-out-from-below"),
        pytest.param(linked_folder, r"1_Pooling is a link out", id="a-folder-that-is-elsewhere"),
        pytest.param(
            lambda folder: index(folder, "model.safetensors", "model-2.safetensors"), "not there", id="no-shard"
        ),
        pytest.param(lambda folder: index(folder, "../other/model.safetensors"), "not there", id="a-shard-elsewhere"),
        pytest.param(
            lambda folder: (folder / "model.safetensors.index.json").write_text("{}"), "no weight_map", id="no-map"
        ),
    ],
)
def test_what_must_not_be_loaded_is_refused_before_any_library_reads_it(folder, change, text):
    model_files(folder)
    change(folder)
    with pytest.raises(ModelRefused, match=text):
        model_files(folder)


def test_what_is_not_a_directory_is_refused(tmp_path):
    with pytest.raises(ModelRefused, match="not a directory"):
        model_files(tmp_path / "none")


def test_pickles_beside_safetensors_and_links_within_are_left_alone(folder):
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    (folder / "added_tokens.json").symlink_to("tokenizer.json")
    assert [file.name for file in model_files(folder).weights] == ["model.safetensors"]


def test_the_digest_is_of_the_weights_bytes(folder):
    first = hashlib.sha256(b"weights").hexdigest()
    assert model_files(folder).digest() == f"sha256:{first}"
    (folder / "more.safetensors").write_bytes(b"more")
    listing = f"{first}  model.safetensors\n{hashlib.sha256(b'more').hexdigest()}  more.safetensors\n"
    assert model_files(folder).digest() == f"sha256:{hashlib.sha256(listing.encode()).hexdigest()}"


@pytest.mark.parametrize(
    ("architectures", "modules", "want"),
    [
        pytest.param(["LlamaForCausalLM"], False, False, id="a-language-model"),
        pytest.param(["BertModel"], False, True, id="an-encoder"),
        pytest.param(["Qwen3ForCausalLM"], True, True, id="a-language-model-that-embeds"),
        pytest.param([], False, False, id="unsaid"),
        pytest.param(None, False, False, id="missing"),
    ],
)
def test_an_encoder_is_told_from_a_language_model(folder, architectures, modules, want):
    (folder / "config.json").write_text(json.dumps({"architectures": architectures}))
    if modules:
        (folder / "modules.json").write_text("[]")
    assert model_files(folder).makes_embeddings is want
