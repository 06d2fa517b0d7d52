"""Coverage-guided fuzzing of the importer: any bytes give a Graph or a ModelError.

    python tests/fuzz/importer.py --seconds 600

needs atheris (pip install "tinyml[fuzz]"). It starts from small models of every operator, random
networks and, where they are at hand, the published models, and mutates their bytes. A graph that
passes must also plan or be refused. What ends it with an error, and leaves the input behind as
crash-*, timeout-* or oom-*: any exception but TinymlError, more than 20 s for one input, or more
than 2 GB.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
with atheris.instrument_imports(include=["tinyml"]):
    from tinyml import tflite
    from tinyml.engines import aot
    from tinyml.errors import TinymlError

PUBLISHED = ROOT.parent / "shared" / "data" / "models"
_LARGEST = 1 << 16
_LIMITS = ("-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=1")


def seeds() -> Iterator[tuple[str, bytes]]:
    """Small models, by name: one case of every operator, some networks, the published ones."""
    from tests import networks
    from tests.pick import Seeded
    from tests.test_ops import cases
    from tinyml.ops import OPS

    for op in sorted(OPS):
        yield op, cases(op).case(Seeded(1))
    for number in range(8):
        yield f"network-{number}", networks.network(Seeded(number))
    for path in sorted(PUBLISHED.glob("*.tflite")):
        if path.stat().st_size <= _LARGEST:
            yield path.stem, path.read_bytes()


def one_input(blob: bytes) -> None:
    try:
        graph = tflite.parse(blob)
        aot.plan(graph)
    except TinymlError as error:
        assert error.message.isprintable() and 0 < len(error.message) <= 4000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=int, default=60, help="how long")
    options.add_argument("--runs", type=int, default=-1, help="end after so many inputs")
    options.add_argument("--seed", type=int, default=1, help="of the random numbers")
    options.add_argument("--corpus", type=Path, help="a folder that keeps what it finds")
    options.add_argument("files", nargs="*", type=Path, help="only these inputs, once each")
    given = options.parse_args()
    limits = [*_LIMITS, f"-max_len={_LARGEST}", f"-seed={given.seed}"]
    with tempfile.TemporaryDirectory(prefix="tinyml-fuzz-") as folder:
        if given.files:
            words = [*limits, *map(str, given.files)]
        else:
            for name, blob in seeds():
                (Path(folder) / name).write_bytes(blob)
            if given.corpus:
                given.corpus.mkdir(parents=True, exist_ok=True)
            found = [str(given.corpus)] if given.corpus else []
            words = [f"-max_total_time={given.seconds}", f"-runs={given.runs}", *limits]
            words += [*found, folder]
        atheris.Setup([sys.argv[0], *words], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
