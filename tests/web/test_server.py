"""The listening socket."""

from __future__ import annotations

import contextlib
import socket

from receiver.web.server import bind


def test_an_accepted_connection_delays_no_answer() -> None:
    with contextlib.closing(bind("127.0.0.1", 0)) as listener:
        listener.setblocking(True)
        with contextlib.closing(socket.create_connection(listener.getsockname())):
            accepted, _ = listener.accept()
            with contextlib.closing(accepted):
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
