# SPDX-License-Identifier: Apache-2.0
import hashlib
import shutil

import pytest
from safetensors.torch import load_file, save_file

from inference.loading import load_model
from inference.settings import ModelRefused


def test_digest_is_that_of_the_weights(parrot, parrot_dir):
    want = hashlib.sha256((parrot_dir / "model.safetensors").read_bytes()).hexdigest()
    assert f"sha256:{want}" == parrot.digest


def test_pickled_weights_are_refused_by_name(parrot_dir, tmp_path):
    shutil.copy(parrot_dir / "config.json", tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelRefused, match="pickled"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("missing", "text"),
    [
        pytest.param("model.safetensors", "no \\*.safetensors", id="no-weights"),
        pytest.param("config.json", "config.json", id="no-config"),
    ],
)
def test_an_incomplete_directory_is_refused(parrot_dir, tmp_path, missing, text):
    shutil.copytree(parrot_dir, tmp_path / "m")
    (tmp_path / "m" / missing).unlink()
    with pytest.raises(ModelRefused, match=text):
        load_model(tmp_path / "m")


def test_weights_that_are_no_safetensors_are_refused(parrot_dir, tmp_path):
    shutil.copytree(parrot_dir, tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").write_bytes(b"\x80\x04not safetensors")
    with pytest.raises(ModelRefused):
        load_model(tmp_path / "m")


def test_a_smaller_context_may_be_asked_for(parrot_dir):
    assert load_model(parrot_dir, max_context=100).context_tokens == 100


def test_weights_that_lack_a_tensor_are_refused_not_made_up(parrot_dir, tmp_path):
    shutil.copytree(parrot_dir, tmp_path / "m")
    weights = load_file(tmp_path / "m" / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, tmp_path / "m" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelRefused, match="lack tensors"):
        load_model(tmp_path / "m")
