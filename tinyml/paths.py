"""Where templates/, firmware/ and boards/ are, in a checkout and in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_data"
ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent

TEMPLATES = ROOT / "templates"
FIRMWARE = ROOT / "firmware"
BOARDS = ROOT / "boards"
