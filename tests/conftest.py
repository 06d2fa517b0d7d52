"""Shared fixtures: the sample models, where they are at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

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
