"""What this computer has and lacks for building, emulating and converting, and how to get it."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One tool: found where or in which version, or `found` is empty. `need` says what for."""

    name: str
    need: str
    required: bool
    found: str
    hint: str

    @property
    def missing(self) -> bool:
        return self.required and not self.found


def _version(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else ""


def _newlib(program: str) -> str:
    """Newlib is its own package on Debian: the compiler works without, the link does not."""
    path = shutil.which(program)
    if path is None:
        return ""
    command = [path, "-print-file-name=nosys.specs"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "nosys.specs" if done.stdout.strip() not in ("", "nosys.specs") else ""


def _cxx(program: str) -> str:
    """The C++ library is a package of its own on Debian, too."""
    path = shutil.which(program)
    if path is None:
        return ""
    command = [path, "-print-file-name=libstdc++.a"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "libstdc++" if done.stdout.strip() not in ("", "libstdc++.a") else ""


def _package(name: str) -> str:
    return "installed" if importlib.util.find_spec(name) else ""


_DEBIAN = "sudo apt install {apt}"
_MAC = "brew install {brew}"


def _install(apt: str, brew: str) -> str:
    if platform.system() == "Darwin":
        return _MAC.format(brew=brew)
    if shutil.which("apt-get"):
        return _DEBIAN.format(apt=apt)
    return f"install {brew} (Debian's package is {apt})"


def findings() -> tuple[Finding, ...]:
    """Every tool and package, looked for now."""
    gcc = "arm-none-eabi-gcc"
    toolchain = _install("gcc-arm-none-eabi libnewlib-arm-none-eabi", "gcc-arm-embedded")
    rows: tuple[tuple[str, str, bool, Callable[[], str], str], ...] = (
        (gcc, "build firmware", True, lambda: _version(gcc), toolchain),
        ("newlib for Arm", "link firmware", True, lambda: _newlib(gcc), toolchain),
        (
            "qemu-system-arm",
            "run firmware without a board",
            True,
            lambda: _version("qemu-system-arm"),
            _install("qemu-system-arm", "qemu"),
        ),
        (
            "cc",
            "run models on this computer (board host)",
            True,
            lambda: _version("cc"),
            _install("gcc", "gcc"),
        ),
        (
            "tensorflow",
            "convert Keras models; not needed for .tflite files",
            False,
            lambda: _package("tensorflow"),
            'pip install "tinyml[keras]"',
        ),
        (
            "ai_edge_litert",
            "run int8 models on this computer with LiteRT",
            True,
            lambda: _package("ai_edge_litert"),
            "pip install ai-edge-litert",
        ),
        (
            "C++ for Arm",
            "engine tflm: firmware with your TFLite-Micro",
            False,
            lambda: _cxx("arm-none-eabi-g++"),
            _install("libstdc++-arm-none-eabi-newlib", "gcc-arm-embedded"),
        ),
        (
            "tflite_micro",
            "engine tflm on this computer",
            False,
            lambda: _package("tflite_micro"),
            "pip install tflite-micro",
        ),
    )
    return tuple(
        Finding(name, need, required, find(), hint) for name, need, required, find, hint in rows
    )
