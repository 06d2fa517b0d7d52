"""tinyml.toml: strict reading, writing, and C names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyml.errors import InputError
from tinyml.project import FILE_NAME, identifier, load_project, write_project

GOOD = """
[project]
name = "wake_word"
model = "model.keras"
engine = "tflm"
[data]
calibration = "c.npz"
test = "t.npz"
[options]
board = "microbit"
optimize = "size"
prefix = "wake"
stack_bytes = 2048
"""


def load(folder: Path, text: str) -> object:
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    return load_project(folder)


def refusal(folder: Path, text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        load(folder, text)
    assert FILE_NAME in caught.value.message
    return caught.value


def test_every_key(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(GOOD)
    project = load_project(tmp_path / FILE_NAME)
    assert project.name == "wake_word" and project.prefix == "wake"
    assert project.model == tmp_path / "model.keras"
    assert (project.calibration, project.test) == (tmp_path / "c.npz", tmp_path / "t.npz")
    assert (project.engine, project.optimize) == ("tflm", "size")
    assert (project.board, project.stack_bytes) == ("microbit", 2048)


def test_defaults(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('[project]\nmodel = "My Net-2.keras"\n')
    project = load_project(tmp_path)
    assert (project.name, project.prefix) == ("my_net_2", "my_net_2")
    assert (project.engine, project.optimize) == ("aot", "balanced")
    assert project.calibration is project.test is project.board is project.stack_bytes is None


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "no model", "model ="),
        ("[project", "not valid TOML", ""),
        ("project = 1", "must be a section", "[project]"),
        ("[porject]", "[porject]", "'project'"),
        (GOOD.replace("engine", "engin"), "'engin'", "'engine'"),
        (GOOD.replace("stack_bytes = 2048", 'test = "x"'), "'test'", "[data]"),
        (GOOD.replace('"tflm"', '"tfml"'), "'tfml'", "'tflm'"),
        (GOOD.replace('"size"', '"O3"'), "'O3'", "balanced"),
        (GOOD.replace('"wake"', '"2wake"'), "'2wake'", "'model_2wake'"),
        (GOOD.replace('"wake"', '"int"'), "'int'", "'model_int'"),
        (GOOD.replace("2048", "true"), "stack_bytes", "2048"),
        (GOOD.replace("2048", "-8"), "stack_bytes", "2048"),
        (GOOD.replace("2048", "2047"), "stack_bytes", "2048"),
        (GOOD.replace('"c.npz"', "3"), "calibration", "text"),
        (GOOD.replace('"model.keras"', '""'), "model", "text"),
    ],
)
def test_refusals_name_the_key(tmp_path: Path, text: str, message: str, hint: str) -> None:
    error = refusal(tmp_path, text)
    assert message in error.message
    assert hint in error.hint


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_project(tmp_path)


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b'[project]\nmodel = "\xff"')
    with pytest.raises(InputError):
        load_project(tmp_path)


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-9, 9999), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
KEYS = st.sampled_from(
    ["name", "model", "engine", "calibration", "test", "board", "optimize", "prefix", "x"]
)


def literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return repr(value) if isinstance(value, int) else f"'{value}'"


@given(
    st.dictionaries(
        st.sampled_from(["project", "data", "options", "y"]), st.dictionaries(KEYS, VALUES)
    ),
    st.text(max_size=3),
)
def test_fuzz_gives_a_project_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, dict[str, object]], noise: str
) -> None:
    lines = []
    for section, table in tables.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {literal(value)}" for key, value in table.items()]
    path = tmp_path_factory.mktemp("fuzz") / FILE_NAME
    path.write_bytes(("\n".join(lines) + noise).encode("utf-8", "surrogatepass"))
    try:
        project = load_project(path)
    except InputError as error:
        assert str(path) in error.message
    else:
        assert identifier(project.prefix) == project.prefix


@given(st.binary(max_size=100))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / FILE_NAME
    path.write_bytes(content)
    with pytest.raises(InputError):
        load_project(path)


def test_written_file_loads(tmp_path: Path) -> None:
    for name in ("model-2.keras", "calibration.npz"):
        (tmp_path / name).touch()
    path = write_project(tmp_path / "model-2.keras", board="microbit")
    project = load_project(path)
    assert project.model == tmp_path / "model-2.keras"
    assert project.calibration == tmp_path / "calibration.npz"
    assert project.test is None
    assert (project.name, project.prefix, project.board) == ("model_2", "model_2", "microbit")


def test_written_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / 'ne "t.keras').touch()
    path = write_project(tmp_path / 'ne "t.keras', folder=tmp_path / "build" / "x")
    assert load_project(path).model.resolve() == (tmp_path / 'ne "t.keras').resolve()
    assert str(tmp_path) not in path.read_text()


def test_existing_file_needs_force(tmp_path: Path) -> None:
    (tmp_path / "a.keras").touch()
    write_project(tmp_path / "a.keras")
    with pytest.raises(InputError, match="exists"):
        write_project(tmp_path / "a.keras")
    write_project(tmp_path / "a.keras", force=True)


def test_model_must_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        write_project(tmp_path / "a.keras")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("model", "model"),
        ("My Model (v2)", "my_model_v2"),
        ("2fast", "model_2fast"),
        ("int", "model_int"),
        ("class", "model_class"),
        ("tm_uart", "model_tm_uart"),
        ("", "model"),
        ("日本", "model"),
        ("../../etc", "etc"),
        ("a" * 99, "a" * 32),
    ],
)
def test_safe_name(text: str, name: str) -> None:
    assert identifier(text) == name


@given(st.text())
def test_safe_name_is_a_c_name_and_stable(text: str) -> None:
    name = identifier(text)
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name)
    assert identifier(name) == name
