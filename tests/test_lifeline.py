"""Programs that tinyml starts end with it, however it ends; and not before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import networks
from tests.pick import Seeded
from tinyml import lifeline

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")

PROGRAM = "import os; print('listening on 127.0.0.1:9, pid', os.getpid(), flush=True)"
FOREVER = f"{PROGRAM}; import time; time.sleep(300)"
START = {
    "console": """
from tinyml.probes._process import ConsoleProcess
held = ConsoleProcess([sys.executable, "-c", FOREVER], re.compile(r"127.0.0.1:(9), pid"))
print(held._said(), flush=True)
time.sleep(300)
""",
    # Killed at the first moment at which there is a program, and its guard, to be ended.
    "run": """
import os
from tinyml import lifeline
popen = subprocess.Popen
def shown(*words, **more):
    started = popen(*words, **more)
    print("pid", started.pid, flush=True)
    if "sleep" in str(words):
        os.kill(os.getpid(), 9)
    return started
subprocess.Popen = shown
lifeline.run(["sleep", "300"], timeout=300)
""",
}


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    return state != "Z"  # ended, but nobody has asked how


def assert_ended(pids: list[int]) -> None:
    deadline = time.monotonic() + 20
    while alive := [pid for pid in pids if is_running(pid)]:
        if time.monotonic() > deadline:
            for pid in alive:
                os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"{len(alive)} of {len(pids)} are left")
        time.sleep(0.05)


@pytest.mark.parametrize("how", START)
def test_a_program_ends_with_its_killed_parent(how: str) -> None:
    code = f"import re, subprocess, sys, time\nFOREVER = {FOREVER!r}\n{START[how]}"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = []
        while len(pids) < (1 if how == "console" else 2):  # the guard is shown too
            line = parent.stdout.readline()
            assert line
            pids += [int(line.split("pid")[1])] if "pid" in line else []
        if how == "console":
            assert all(map(is_running, pids))
            parent.kill()
    assert_ended(pids)


def test_a_program_outlives_the_thread_that_started_it_and_its_parents_children(
    tmp_path: Path,
) -> None:
    import threading

    started: list[subprocess.Popen[bytes]] = []
    line = lifeline.Lifeline()
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    def start() -> None:
        started.append(line.start([sys.executable, "-c", "input()"], stdin=gate))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    with pytest.raises(subprocess.TimeoutExpired):
        started[0].wait(0.3)
    gate.write_text("\n")
    started[0].wait(60)
    line.cut()
    assert started[0].returncode == 0


def test_run_is_as_subprocess_run() -> None:
    done = lifeline.run([sys.executable, "-c", "print(input()[::-1])"], given="abc", timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "cba\n", "")
    start = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        lifeline.run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.3)
    assert time.monotonic() - start < 30
    with pytest.raises(FileNotFoundError):
        lifeline.run(["/none"], timeout=1)


def test_where_there_is_no_shell_programs_run_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifeline, "_SHELL", "/none")
    assert lifeline.run([sys.executable, "-c", "print(1)"], timeout=60).stdout == "1\n"


@pytest.mark.qemu
def test_qemu_ends_with_a_killed_bench(tmp_path: Path) -> None:
    if not Path("/proc/self/task").exists():
        pytest.skip("needs /proc")
    path = tmp_path / "net.tflite"
    path.write_bytes(networks.network(Seeded(8), ("conv", "pool")))
    command = [sys.executable, "-m", "tinyml", "bench", "-b", "stm32", "-n", "100000", str(path)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=tmp_path, stdout=quiet, stderr=quiet) as parent:
        deadline = time.monotonic() + 100
        pids: list[int] = []
        while not pids:
            assert parent.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
            text = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text()
            pids = [int(pid) for pid in text.split() if is_qemu(int(pid))]
        parent.kill()
    assert_ended(pids)


def is_qemu(pid: int) -> bool:
    try:
        return "qemu" in Path(f"/proc/{pid}/comm").read_text()
    except FileNotFoundError:
        return False
