# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
import struct
from array import array

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.screen.tensors import LARGEST_BYTES, Tensor, WeightsRefused, read_tensors, write_tensors

SOME = {
    "bytes": Tensor((3,), array("b", [1, -2, 127])),
    "floats": Tensor((2, 2), array("f", [0.5, -1.5, 2.0, 0.0])),
    "halves": Tensor((1,), array("H", [0x3C00])),
}


def test_gives_back_what_was_written(tmp_path):
    content = write_tensors(SOME, notes={"seed": "7"})
    file = tmp_path / "some.safetensors"
    file.write_bytes(content)
    found = read_tensors(file, digest=hashlib.sha256(content).hexdigest())
    assert found.tensors == SOME
    assert found.notes == {"seed": "7"}


def test_is_read_by_the_library_too(tmp_path):
    file = tmp_path / "some.safetensors"
    file.write_bytes(write_tensors(SOME, notes={}))
    found = load_file(file)
    assert found["bytes"].tolist() == [1, -2, 127]
    assert found["floats"].tolist() == [[0.5, -1.5], [2.0, 0.0]]
    assert found["halves"].tolist() == [1.0]


def test_reads_what_the_library_wrote(tmp_path):
    file = tmp_path / "some.safetensors"
    save_file({"floats": torch.tensor([[1.0, 2.0]])}, file)
    assert read_tensors(file, digest=None).tensors["floats"] == Tensor((1, 2), array("f", [1.0, 2.0]))


def test_refuses_a_file_in_which_one_bit_was_changed(tmp_path):
    content = bytearray(write_tensors(SOME, notes={}))
    digest = hashlib.sha256(content).hexdigest()
    content[-1] ^= 1
    file = tmp_path / "some.safetensors"
    file.write_bytes(content)
    with pytest.raises(WeightsRefused, match="SHA-256"):
        read_tensors(file, digest=digest)


def header(**entry):
    text = json.dumps({"x": entry}).encode()
    return struct.pack("<Q", len(text)) + text + bytes(8)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff" * 16, id="a-header-longer-than-the-file"),
        pytest.param(header(dtype="F64", shape=[1], data_offsets=[0, 8]), id="a-type-that-is-not-ours"),
        pytest.param(header(dtype="F32", shape=[2], data_offsets=[0, 16]), id="numbers-outside-of-the-file"),
        pytest.param(header(dtype="F32", shape=[3], data_offsets=[0, 8]), id="a-shape-of-another-size"),
        pytest.param(header(dtype="F32", data_offsets=[0, 8]), id="no-shape"),
        pytest.param(header(dtype="F32", shape=[1], data_offsets=[0, 6]), id="half-a-number"),
        pytest.param(struct.pack("<Q", 2) + b"[]", id="a-header-that-is-no-object"),
    ],
)
def test_refuses_what_does_not_add_up(tmp_path, content):
    file = tmp_path / "some.safetensors"
    file.write_bytes(content)
    with pytest.raises(WeightsRefused):
        read_tensors(file, digest=None)


def test_refuses_a_file_that_is_missing_or_too_large(tmp_path):
    with pytest.raises(WeightsRefused, match="cannot be read"):
        read_tensors(tmp_path / "none.safetensors", digest=None)
    large = tmp_path / "large.safetensors"
    large.write_bytes(bytes(LARGEST_BYTES + 1))
    with pytest.raises(WeightsRefused, match="larger"):
        read_tensors(large, digest=None)
