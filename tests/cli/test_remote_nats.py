"""Commands against a NATS of somebody else, over TLS and with a user's password from a file."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bus.plain_server import plain_server
from tests.certificates import make_certificate
from tests.cli.conftest import Yizhan

PASSWORD = "correct-horse-battery"


async def test_reads_and_acts_work_over_tls_and_print_no_password(
    yizhan: Yizhan, tmp_path: Path
) -> None:
    cert, key = make_certificate(tmp_path, "localhost")
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    more = (
        f'tls {{ cert_file: "{cert}", key_file: "{key}" }}\n'
        f'authorization {{ user: yizhan, password: "{PASSWORD}" }}'
    )
    async with plain_server(tmp_path, more) as address:
        environ = {
            "YIZHAN_NATS__URL": f"tls://{address.replace('127.0.0.1', 'localhost')}",
            "YIZHAN_NATS__USER": "yizhan",
            "YIZHAN_NATS__PASSWORD_FILE": str(secret),
            "YIZHAN_NATS__TLS_CA_FILE": str(cert),
        }
        status = await yizhan.run("status", "--json", within_s=90, **environ)
        letters = await yizhan.run("dead", "list", within_s=90, **environ)
        rebuilt = await yizhan.run("state", "rebuild", "--by", "ann", within_s=90, **environ)
        audit = await yizhan.run("audit", "--json", within_s=90, **environ)
        del environ["YIZHAN_NATS__TLS_CA_FILE"]
        distrusted = await yizhan.run("dead", "list", within_s=90, **environ)

    assert (status.code, rebuilt.code, audit.code) == (0, 0, 0), (status, rebuilt, audit)
    assert json.loads(status.out)["nats"] == ["nats stream report", "nats consumer report YIZHAN"]
    assert letters.out == "no dead letter\n"
    assert letters.err == "nats: nats stream subjects YIZHAN_DEAD\n"
    (act,) = json.loads(audit.out)["acts"]
    assert (act["verb"], act["by"], act["outcome"]) == ("state-rebuild", "ann", "done")
    assert distrusted.code == 1
    ended = (status, letters, rebuilt, audit, distrusted)
    assert not [one for one in ended if PASSWORD in one.out + one.err]
    assert not [one for one in ended if "Traceback" in one.err]
