#!/bin/sh
# Installs what `make demo` and `make test` need: system packages with apt where that is there,
# and tinyml with its Python packages in a virtual environment of its own.
set -eu

venv=$1
python=${PYTHON:-python3}
packages="gcc make python3-venv gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"

have() { command -v "$1" >/dev/null 2>&1; }

newlib() {
    have arm-none-eabi-gcc && [ "$(arm-none-eabi-gcc -print-file-name=nosys.specs)" != nosys.specs ]
}

if ! { have cc && newlib && have qemu-system-arm && "$python" -c 'import ensurepip, venv'; } 2>/dev/null
then
    if have apt-get; then
        root=
        [ "$(id -u)" = 0 ] || root=sudo
        echo "installing $packages"
        $root apt-get update -qq
        DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $packages
    else
        echo "this computer has no apt: 'tinyml doctor' will say what is missing" >&2
    fi
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "error: tinyml needs Python 3.11 or newer; $python is $("$python" -V 2>&1)" >&2
    echo "hint: name another one: make PYTHON=python3.12 demo" >&2
    exit 1
}

"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e ".[keras,demo,test]"
"$venv/bin/tinyml" doctor
