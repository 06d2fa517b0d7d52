"""Shared fixtures: the sample models, where they are at hand, and objects; hypothesis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import executor
from tests.objects import Objects
from tinyml import build

# A busy machine makes no example slow: the tests themselves bound what must not take long.
# The suite draws the same examples each time, so that a change is judged by what it changes;
# new ones are looked for by `make explore`.
settings.register_profile("tinyml", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("tinyml")

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    if not DATA.is_dir():
        pytest.skip("the folder with the sample models is not here")
    return DATA


@pytest.fixture(scope="session")
def models_folder(data_folder: Path) -> Path:
    return data_folder / "models"


@pytest.fixture(scope="session", autouse=True)
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Objects]:
    """Of this run alone; its processes share them."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "objects"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        shared = Objects(folder, build._run)
        patch.setattr(build, "_run", shared)
        patch.setenv(executor.FOLDER, str(folder))
        yield shared


@pytest.fixture
def compiled_anew(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test that is about what the compiler does."""
    monkeypatch.setattr(build, "_run", objects.run)
