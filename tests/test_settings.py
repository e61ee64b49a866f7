"""Settings: what is wrong is said in a sentence that tells what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from receiver.errors import ConfigurationError
from receiver.settings import load_settings

GOOD = """
[nats]
port = 0
[[sources]]
name = "pandapon"
dialect = "xport"
verification = "signature"
access_key = "key"
secrets = ["new-secret", "old-secret"]
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "yizhan.toml") -> Path:
    Path(name).write_text(text, encoding="utf-8")
    return Path(name)


def test_the_file_in_the_working_directory_is_read() -> None:
    write(GOOD)
    settings = load_settings()
    assert (settings.nats.port, settings.sources[0].name) == (0, "pandapon")


def test_a_variable_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIZHAN_CONFIG", str(write(GOOD, "other.toml")))
    assert load_settings().sources[0].name == "pandapon"


def test_a_variable_overrides_one_key_and_leaves_its_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write('[receiver]\nhost = "0.0.0.0"\nport = 1\n')
    monkeypatch.setenv("YIZHAN_RECEIVER__PORT", "9090")
    settings = load_settings()
    assert (settings.receiver.host, settings.receiver.port) == ("0.0.0.0", 9090)


def test_sources_can_come_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIZHAN_SOURCES", '[{"name":"a","dialect":"aop","verification":"none"}]')
    assert load_settings().sources[0].dialect == "aop"


@pytest.mark.parametrize("written", ['["nats://a:1", "tls://b:2"]', '"nats://a:1,tls://b:2"'])
def test_several_servers_are_a_list_or_one_text(written: str) -> None:
    settings = load_settings(write(f"[nats]\nurl = {written}\nreplicas = 3\n"))
    assert settings.nats.url == "nats://a:1,tls://b:2"


SOURCE = '[[sources]]\nname = "a"\ndialect = "xport"\n'
WRONG = {
    "unknown key": ("[nats]\nprot = 1\n", "nats.prot: no such setting: did you mean port?"),
    "unknown section": ("[natz]\nport = 1\n", "natz: no such setting: did you mean nats?"),
    "no verification": (SOURCE, r"sources\[0\].verification: is missing: add it"),
    "bad verification": (SOURCE + 'verification = "maybe"\n', "'signature', 'path_token'"),
    "no secrets": (SOURCE + 'verification = "signature"\n', 'needs secrets = \\["..."\\]'),
    "no key": (
        SOURCE + 'verification = "signature"\nsecrets = ["s"]\n',
        'needs access_key = "..."',
    ),
    "empty secret": (
        SOURCE + 'verification = "signature"\naccess_key = "k"\nsecrets = [""]\n',
        "holds an empty secret",
    ),
    "no token": (SOURCE + 'verification = "path_token"\n', "needs path_token"),
    "short token": (
        SOURCE + 'verification = "path_token"\npath_token = "short"\n',
        "openssl rand",
    ),
    "a dotted name": (
        '[[sources]]\nname = "a.b"\ndialect = "xport"\nverification = "none"\n',
        "one token of a subject",
    ),
    "two of a name": (
        (SOURCE + 'verification = "none"\n') * 2,
        "two sources are named 'a'",
    ),
    "a bad port": ("[receiver]\nport = 99999\n", "receiver.port: "),
    "a bad network": (
        '[receiver]\ntrusted_proxies = ["everywhere"]\n',
        r"receiver.trusted_proxies\[0\]",
    ),
    "replicas of nobody": ("[nats]\nreplicas = 3\n", "nats: replicas need a cluster: set nats.url"),
    "no NATS URL": ('[nats]\nurl = "http://x"\n', 'nats.url: write "nats://host:4222"'),
    "half of TLS": ('[nats]\ntls_cert_file = "c"\n', "tls_key_file belong together"),
    "two ways in": (
        '[nats]\ncredentials_file = "c"\nnkey_seed_file = "k"\n',
        "exclude each other",
    ),
    "half of HTTPS": ('[receiver]\ntls_key_file = "k"\n', "tls_key_file belong together"),
    "no TOML": ("[nats\n", "is not valid TOML"),
    "a bad API": ('[api]\naccess_key = "k"\nsecret = "s"\nbase_url = "ftp://x"\n', "https://"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_with_its_place_and_cure(case: str) -> None:
    text, expected = WRONG[case]
    with pytest.raises(ConfigurationError, match=expected):
        load_settings(write(text))


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as told:
        load_settings(write("[nats]\nport = -1\nprot = 1\n[receiver]\nport = -1\n"))
    assert len(str(told.value).splitlines()) == 3


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        load_settings(Path("nowhere.toml"))


def test_a_misspelled_variable_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIZHAN_RECIEVER__PORT", "1")
    with pytest.raises(ConfigurationError, match="did you mean YIZHAN_RECEIVER"):
        load_settings()


def test_a_list_that_is_no_json_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIZHAN_SOURCES", "pandapon")
    with pytest.raises(ConfigurationError, match="is no JSON: write YIZHAN_"):
        load_settings()


def test_no_secret_shows_in_a_representation_or_a_mistake() -> None:
    settings = load_settings(write(GOOD))
    with pytest.raises(ConfigurationError) as told:
        load_settings(write(GOOD + "tolerance_s = -1\n"))
    assert "secret" not in f"{settings!r} {told.value}".replace("secrets=", "")
