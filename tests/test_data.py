"""Reading .npz files and int8 arithmetic on arrays."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyml import data
from tinyml.errors import InputError


def npz(folder: Path, **arrays: object) -> Path:
    path = folder / "set.npz"
    np.savez(path, **arrays)
    return path


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        data.load_arrays(path)
    assert caught.value.hint
    assert caught.value.exit_code == 2
    return caught.value


def test_arrays_come_by_name(tmp_path: Path) -> None:
    arrays = data.load_arrays(npz(tmp_path, a=np.zeros((2, 3)), b=np.ones(2, np.uint8)))
    assert {n: a.shape for n, a in arrays.items()} == {"a": (2, 3), "b": (2,)}


@pytest.mark.parametrize("dtype", ["?", "i1", ">i2", "<u4", "<f2", ">f4", "f8"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_values_are_those_of_numpy(
    tmp_path: Path, dtype: str, shape: tuple[int, ...], order: str
) -> None:
    array = np.asarray(np.random.default_rng(3).integers(0, 2, shape).astype(dtype), order=order)
    read = data.load_arrays(npz(tmp_path, a=array))["a"]
    assert read.shape == shape and read.dtype.isnative
    np.testing.assert_array_equal(read, array)


def test_npy_is_named_after_its_file(tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", np.zeros((4, 2)))
    assert list(data.load_arrays(tmp_path / "image.npy")) == ["image"]


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\3\4" + bytes(60), b"\x93NUMPY\1\0", b"hello"])
def test_any_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    assert "set.npz" in refusal(path).message


@given(st.binary(max_size=200), st.integers(0, 500), st.booleans())
def test_damaged_files_never_escape_as_another_exception(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, single: bool
) -> None:
    buffer = io.BytesIO()
    if single:
        np.save(buffer, np.arange(6.0))
    else:
        np.savez_compressed(buffer, a=np.arange(6.0))
    content = bytearray(buffer.getvalue())
    content[at : at + len(noise)] = noise
    path = tmp_path_factory.mktemp("damaged") / "set.npz"
    path.write_bytes(content)
    try:
        data.load_arrays(path)
    except InputError as error:
        assert error.message


def test_missing_file(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "none.npz").message


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    assert "Python objects" in refusal(npz(tmp_path, a=np.array([{}, []], object))).message


def test_text_is_refused_by_name(tmp_path: Path) -> None:
    assert "'names'" in refusal(npz(tmp_path, names=np.array(["a"]))).message


def test_a_zip_of_other_files_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "readme.txt" in refusal(tmp_path / "set.npz").message


@pytest.mark.parametrize("name", ["labels", "y"])
def test_labelled_set(tmp_path: Path, name: str) -> None:
    path = npz(tmp_path, image=np.zeros((3, 2)), **{name: np.array([[1], [0], [2]], np.uint8)})
    inputs, labels = data.labelled_set(path, ["image"])
    assert inputs["image"].shape == (3, 2)
    assert labels.tolist() == [1, 0, 2] and labels.dtype == np.int64


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        ({"image": np.zeros((3, 2))}, "'labels'"),
        ({"picture": np.zeros((3, 2)), "labels": np.zeros(3)}, "'picture'"),
        ({"image": np.zeros((3, 2)), "labels": np.zeros(4)}, "4 labels"),
        ({"image": np.zeros((3, 2)), "labels": np.zeros((3, 10))}, "(3, 10)"),
        ({"image": np.zeros((3, 2)), "labels": np.full(3, 0.5)}, "class numbers"),
        ({"image": np.zeros((3, 2)), "labels": np.full(3, np.nan)}, "class numbers"),
        ({"image": np.zeros(()), "labels": np.zeros(3)}, "'image'"),
        ({"image": np.zeros((0, 2)), "labels": np.zeros(0)}, "no samples"),
    ],
)
def test_labelled_set_refuses(tmp_path: Path, arrays: dict[str, object], word: str) -> None:
    with pytest.raises(InputError) as caught:
        data.labelled_set(npz(tmp_path, **arrays), ["image"])
    assert word in caught.value.message


def test_calibration_warnings() -> None:
    random = np.random.default_rng(1)
    good = random.uniform(-1, 1, (100, 4, 3))
    assert data.check_calibration("c.npz", {"x": good}) == []
    assert "10 samples" in data.check_calibration("c.npz", {"x": good[:10]})[0]
    assert "1 sample;" in data.check_calibration("c.npz", {"x": good[:1]})[0]
    still = good.copy()
    still[..., 1] = 0
    assert "1 of 3 channels never change (1)" in data.check_calibration("c.npz", {"x": still})[0]
    assert "0.0 everywhere" in data.check_calibration("c.npz", {"x": np.zeros((50, 3))})[0]
    pixels = random.integers(0, 256, (50, 4, 4), np.uint8)
    assert "preprocessing" in data.check_calibration("c.npz", {"x": pixels})[0]


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        ({}, "no samples"),
        ({"x": np.zeros((0, 3))}, "no samples"),
        ({"x": np.zeros(())}, "no samples"),
        ({"x": np.full((30, 2), np.nan)}, "'x'"),
        ({"x": np.zeros((30, 2)), "z": np.zeros((31, 2))}, "'z' 31"),
    ],
)
def test_calibration_that_cannot_work(arrays: dict[str, np.ndarray], word: str) -> None:
    with pytest.raises(InputError) as caught:
        data.check_calibration("c.npz", arrays)
    assert word in caught.value.message


def test_to_int8_saturates_and_rounds_half_to_even() -> None:
    values = [-1e9, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 1e9, np.inf]
    assert data.to_int8(values, 1.0, 1).tolist() == [-128, -1, -1, 1, 1, 3, 3, 127, 127]
    with pytest.raises(InputError):
        data.to_int8([np.nan], 1.0, 0)


@given(st.integers(-128, 127), st.integers(-128, 127), st.floats(1e-5, 1e3))
def test_int8_to_real_and_back(value: int, zero_point: int, scale: float) -> None:
    array = np.array([value], np.int8)
    assert data.to_int8(data.to_real(array, scale, zero_point), scale, zero_point) == array


def test_accuracy() -> None:
    assert data.accuracy([[1, 9], [9, 1], [5, 5]], np.array([1, 1, 0])) == pytest.approx(2 / 3)
    assert data.accuracy([[0.2], [0.7]], np.array([0, 1])) == 1.0
