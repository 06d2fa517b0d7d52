"""Shared fixtures: the sample models, where they are at hand; settings of hypothesis."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine makes no example slow: the tests themselves bound what must not take long.
settings.register_profile("tinyml", deadline=None)
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
