import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from eventually import until

from deployments.stack.layout import Layout
from deployments.stack.processes import end_processes, platform_processes

SLEEPER = [sys.executable, "-S", "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable, "-S", "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]  # fmt: skip
# A daemon as students start them: in a session of its own, its parent gone.
DAEMON = [
    sys.executable, "-S", "-c",
    "import os, time\n"
    "if os.fork() == 0:\n    os.setsid()\n    print('up', flush=True)\n    time.sleep(600)\n"
    "else:\n    time.sleep(0.2)",
]  # fmt: skip


@pytest.fixture
def layout(tmp_path):
    return Layout(state=tmp_path / "state", home=tmp_path, source=tmp_path)


@pytest.fixture
def start():
    started = []

    def start_marked(command, state: Path):
        process = subprocess.Popen(command, env={"WOD_PLATFORM": str(state)}, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"up\n"
        return process

    yield start_marked
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("command", [SLEEPER, STUBBORN, DAEMON], ids=["obedient", "stubborn", "daemon"])
@pytest.mark.parametrize("is_stopped", [False, True], ids=["running", "hung"])
def test_every_process_of_a_platform_is_ended(layout, start, command, is_stopped):
    start(command, layout.state)
    until(lambda: len(platform_processes(layout)) == 1, "a daemon's first parent has ended by itself", 10)
    (process,) = platform_processes(layout)
    if is_stopped:
        process.suspend()

    assert end_processes(layout, grace_seconds=0.5) == 1

    assert platform_processes(layout) == []
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_other_platforms_and_programs_are_left_alone(layout, start):
    neighbour = start(SLEEPER, layout.state.with_name("state2"))

    assert end_processes(layout) == 0

    assert neighbour.poll() is None


def test_the_caller_is_left_alone_even_inside_of_the_platform(layout):
    code = (
        "from deployments.stack.layout import find_layout\n"
        "from deployments.stack.processes import end_processes\n"
        "print(end_processes(find_layout()))"
    )
    environment = {"WOD_PLATFORM": str(layout.state), "WOD_STATE": str(layout.state)}

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
