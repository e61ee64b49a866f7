"""The receiver that runs on this machine already, if one does, and whether another could listen."""

from __future__ import annotations

from typing import Any, Final

import httpx2

from receiver.errors import ConfigurationError
from receiver.settings import ReceiverSettings
from receiver.web.server import bind

_ANSWER_S: Final = 5.0


class TakenByUsError(ConfigurationError):
    """A receiver of Yizhan listens there already; `answer` is what its `/readyz` answers."""

    def __init__(self, host: str, port: int, answer: dict[str, Any]) -> None:
        super().__init__(
            f"receiver.port: yizhan is running here already, on {host}:{port}: stop it before you "
            "start it again, or set receiver.port and nats.data_dir for a second one beside it"
        )
        self.answer = answer


async def check_port(receiver: ReceiverSettings) -> None:
    """Raise `ConfigurationError` where nothing could listen, `TakenByUsError` where it is ours."""
    try:
        bind(receiver.host, receiver.port).close()
    except ConfigurationError as error:
        if (answer := await _answer_of_ours(receiver)) is None:
            raise
        raise TakenByUsError(receiver.host, receiver.port, answer) from error


async def _answer_of_ours(receiver: ReceiverSettings) -> dict[str, Any] | None:
    """What a receiver of Yizhan that listens there says of itself; None where it is something else.

    The certificate names the host that senders know, and no secret is sent: it is not checked.
    """
    try:
        async with httpx2.AsyncClient(
            base_url=local_url(receiver), timeout=_ANSWER_S, trust_env=False, verify=False
        ) as http:
            if (await http.get("/healthz")).json() != {"status": "alive"}:
                return None
            answer = (await http.get("/readyz")).json()
    except (httpx2.HTTPError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def local_url(receiver: ReceiverSettings) -> str:
    """Where a receiver with these settings is reached from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(receiver.host, receiver.host)  # noqa: S104
    scheme = "http" if receiver.tls_cert_file is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{receiver.port}"
