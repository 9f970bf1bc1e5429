"""What tests of the platform's parts share: a machine that is a backend."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from machines import Machines
from remote_hub import SUITE, RemoteHub, skip_unless_possible


@pytest.fixture(scope="session")
def remote_hub(machines: Machines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteHub]:
    """Yield a machine that has what a hub needs; no hub runs there yet."""
    skip_unless_possible()
    machine = machines.start("backend", SUITE)
    hub = RemoteHub(machine, tmp_path_factory.mktemp("remote-hub"))
    hub.install()
    yield hub
    machine.stop()
