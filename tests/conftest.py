"""Shared fixtures: the sample models, where they are at hand; settings of hypothesis."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

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
