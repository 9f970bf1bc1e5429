"""Whom the catalog names to the API as its visitor, in a real server: nobody can choose who to be."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import psutil
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from ui_services import Process, free_port, serve_process
from websockets.sync.client import connect

pytestmark = pytest.mark.integration

_SCRIPT = """
import streamlit as st
from ui.catalog.connection import client
st.write("visitor=" + client()._visitor + ";")
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Yield a server with one page, which says whom it would ask for."""
    folder = tmp_path_factory.mktemp("visitors")
    script = folder / "page.py"
    script.write_text(_SCRIPT)
    command = ["streamlit", "run", str(script), "--server.headless", "true", "--server.port"]
    environment = {"WOD_CATALOG_API_URL": "http://127.0.0.1:9"}
    with serve_process(command, free_port(), environment, folder / "log", "/_stcore/health") as process:
        yield process


def visitor(page: Process, host: str, forwarded: str = "") -> str:
    """Return whom the page takes a visitor for who comes to `host` with the header of a proxy."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    address = f"ws://{host}:{page.url.rpartition(':')[2]}/_stcore/stream"
    with connect(address, additional_headers=headers, max_size=None) as socket:
        asked = BackMsg()
        asked.rerun_script.query_string = ""
        socket.send(asked.SerializeToString())
        shown = ""
        for data in socket:
            assert isinstance(data, bytes)
            message = ForwardMsg.FromString(data)
            if message.WhichOneof("type") == "delta":
                shown += message.delta.new_element.markdown.body
            if message.WhichOneof("type") == "script_finished":
                break
    return shown.partition("visitor=")[2].partition(";")[0]


def test_a_proxy_on_the_machine_tells_whom_it_serves(page: Process) -> None:
    assert visitor(page, "127.0.0.1", "203.0.113.7") == "203.0.113.7"
    assert visitor(page, "127.0.0.1", "203.0.113.7, 192.0.2.1") == "203.0.113.7, 192.0.2.1"
    assert visitor(page, "127.0.0.1") == ""


def test_who_comes_from_elsewhere_is_who_they_are(page: Process) -> None:
    own = [
        each.address
        for addresses in psutil.net_if_addrs().values()
        for each in addresses
        if each.family == socket.AF_INET and not each.address.startswith("127.")
    ]
    if not own:
        pytest.skip("this machine has no address but its own loop")
    assert visitor(page, own[0], "203.0.113.7") == own[0]


def test_what_can_be_no_header_names_nobody(page: Process) -> None:
    assert visitor(page, "127.0.0.1", "caf\u00e9") == ""
