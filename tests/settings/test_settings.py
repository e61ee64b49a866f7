"""Settings: what is wrong is reported in a sentence with what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from receiver.errors import ConfigurationError
from receiver.settings import load_settings
from receiver.settings.exposure import weak_protection
from receiver.settings.faults import JSON_VARIABLES

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
    "bits beyond a prefix": (
        '[receiver]\ntrusted_proxies = ["10.0.0.5/8"]\n',
        'write "10.0.0.0/8" for the network, or "10.0.0.5" for the one address',
    ),
    "a network with a port": (
        '[receiver]\ntrusted_proxies = ["10.0.0.5:80"]\n',
        'write "10.0.0.5"',
    ),
    "brackets": ('[receiver]\ntrusted_proxies = ["[::1]"]\n', 'write "::1"'),
    "a zone": ('[receiver]\ntrusted_proxies = ["fe80::1%eth0"]\n', 'write "fe80::1"'),
    "a host name": ('[receiver]\ntrusted_proxies = ["proxy"]\n', "names are not looked up"),
    "a number": ("[receiver]\ntrusted_proxies = [10]\n", "write an address or a network"),
    "no list": ('[receiver]\ntrusted_proxies = "10.0.0.0/8"\n', "write a list"),
    "a name with a slash": (
        '[[sources]]\nname = "a/b"\ndialect = "xport"\nverification = "none"\n',
        "a part of a URL",
    ),
    **{
        f"a token with {token!r}": (
            SOURCE + f'verification = "path_token"\npath_token = "{token}-0123456789abcdef"\n',
            "openssl rand -hex 16",
        )
        for token in ("/a", "a//b", "a/../b", "a%2Fb", "a?b", "a#b", "a b", "é", "a^b")
    },
    "a token that ends with a slash": (
        SOURCE + 'verification = "path_token"\npath_token = "0123456789abcdef/"\n',
        "openssl rand -hex 16",
    ),
    "replicas of nobody": ("[nats]\nreplicas = 3\n", "nats: replicas need a cluster: set nats.url"),
    "no NATS URL": ('[nats]\nurl = "http://x"\n', 'nats.url: write "nats://host:4222"'),
    "half of TLS": ('[nats]\ntls_cert_file = "c"\n', "tls_key_file belong together"),
    "two ways in": (
        '[nats]\ncredentials_file = "c"\nnkey_seed_file = "k"\n',
        "exclude each other",
    ),
    "half of HTTPS": ('[receiver]\ntls_key_file = "k"\n', "tls_key_file belong together"),
    "a variable as a secret": (
        SOURCE + 'verification = "signature"\naccess_key = "k"\nsecrets = ["${SHOP}"]\n',
        r"secrets: \$\{SHOP\} is not replaced by a variable here: name a file in secret_files",
    ),
    "a variable as an access key": (
        SOURCE + 'verification = "none"\naccess_key = "${KEY}"\n',
        r"access_key: \$\{KEY\} is not replaced",
    ),
    "a variable as a path token": (
        SOURCE + 'verification = "path_token"\npath_token = "${A_TOKEN_OF_THE_SHOP}"\n',
        "is not replaced .* as YIZHAN_SOURCES",
    ),
    "a variable as the API's secret": (
        '[api]\naccess_key = "k"\nsecret = "${API}"\n',
        "is not replaced .* secret_file = .* YIZHAN_API__SECRET",
    ),
    "a variable in NATS' URL": (
        '[nats]\nurl = "nats://u:${PASSWORD}@a:1"\n',
        "is not replaced .* nats.password_file, or give YIZHAN_NATS__URL",
    ),
    "no secret of the API": ('[api]\naccess_key = "k"\n', "api: write either secret"),
    "a user without password": ('[nats]\nurl = "nats://a:1"\nuser = "u"\n', "belong together"),
    "two users": (
        '[nats]\nurl = "nats://x:y@a:1"\nuser = "u"\npassword_file = "p"\n',
        "for a url that names no user",
    ),
    "no TOML": ("[nats\n", "is not valid TOML"),
    "a bad API": ('[api]\naccess_key = "k"\nsecret = "s"\nbase_url = "ftp://x"\n', "https://"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_with_its_place_and_cure(case: str) -> None:
    text, expected = WRONG[case]
    with pytest.raises(ConfigurationError, match=expected):
        load_settings(write(text))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("10.0.0.5", "10.0.0.5/32"),
        (" 10.0.0.0/8 ", "10.0.0.0/8"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.0.0.5", "10.0.0.5/32"),
        ("::/0", "::/0"),
    ],
)
def test_a_network_is_read_as_it_is_written(written: str, read: str) -> None:
    settings = load_settings(write(f'[receiver]\ntrusted_proxies = ["{written}"]\n'))
    assert [str(network) for network in settings.receiver.trusted_proxies] == [read]


def test_every_mistake_is_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_settings(write("[nats]\nport = -1\nprot = 1\n[receiver]\nport = -1\n"))
    assert len(str(raised.value).splitlines()) == 3


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
    with pytest.raises(ConfigurationError) as raised:
        load_settings(write(GOOD + "tolerance_s = -1\n"))
    assert "secret" not in f"{settings!r} {raised.value}".replace("secrets=", "").replace(
        "secret_files=", ""
    )


SIGNED = SOURCE + 'verification = "signature"\naccess_key = "k"\n'


def test_secrets_come_from_files_one_each_beside_those_written_out(tmp_path: Path) -> None:
    for name, text in (("old", "o" * 16 + "\n"), ("new", "n" * 16), ("windows", "w" * 16 + "\r\n")):
        (tmp_path / name).write_bytes(text.encode())
    files = ", ".join(f'"{tmp_path / name}"' for name in ("old", "new", "windows"))
    text = f'{SIGNED}secrets = ["{"s" * 16}"]\nsecret_files = [{files}]\n'
    (source,) = load_settings(write(text)).sources
    read = [secret.get_secret_value() for secret in source.secrets]
    assert read == [letter * 16 for letter in "sonw"]


def test_a_path_token_comes_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t" * 16 + "\n")
    by_file = f'verification = "path_token"\npath_token_file = "{tmp_path / "token"}"\n'
    (source,) = load_settings(write(SOURCE + by_file)).sources
    assert source.path_token is not None
    assert source.path_token.get_secret_value() == "t" * 16
    (tmp_path / "token").write_text("a b c d e f g h i\n")
    with pytest.raises(ConfigurationError, match=r"sources\[0\]\.path_token_file: .*in a URL"):
        load_settings(write(SOURCE + by_file))


def test_spaces_in_a_secret_file_belong_to_the_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" a secret \n")
    text = f'[api]\naccess_key = "k"\nsecret_file = "{tmp_path / "secret"}"\n'
    api = load_settings(write(text)).api
    assert api is not None
    assert api.secret.get_secret_value() == " a secret "


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file or directory: mount the secret there"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"one\ntwo\n", "holds more than one line: write one secret, one file for each"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"x" * 70_000, "holds more than one line"),
    ],
)
def test_a_file_without_one_secret_is_refused_and_not_shown(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    file = tmp_path / "mounted"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=sentence) as raised:
        load_settings(write(f'{SIGNED}secret_files = ["{file}"]\n'))
    assert "sources[0].secret_files: " in str(raised.value)
    assert "one\ntwo" not in str(raised.value)


def test_a_dollar_sign_may_stand_in_a_secret() -> None:
    text = f'{SIGNED}secrets = ["a$b{{c}}$HOME"]\n'
    assert load_settings(write(text)).sources[0].secrets[0].get_secret_value() == "a$b{c}$HOME"


@pytest.mark.parametrize("name", JSON_VARIABLES)
def test_a_list_can_come_from_the_environment_as_its_example_shows(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name.startswith("YIZHAN_API"):
        monkeypatch.setenv("YIZHAN_API__ACCESS_KEY", "k")
        monkeypatch.setenv("YIZHAN_API__SECRET", "s" * 16)
    if name == "YIZHAN_CONSOLE__USERS":
        monkeypatch.setenv("YIZHAN_CONSOLE__AUTH", "proxy")
        monkeypatch.setenv("YIZHAN_CONSOLE__TRUSTED_PROXIES", '["10.0.0.5"]')
        monkeypatch.setenv("YIZHAN_CONSOLE__PROXY_SECRET", "s" * 16)
    monkeypatch.setenv(name, JSON_VARIABLES[name].replace("...", "t" * 16))
    section, _, key = name.removeprefix("YIZHAN_").lower().partition("__")
    value = getattr(load_settings(), section)
    assert value if not key else getattr(value, key)


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ('host = "10.0.0.7"', 1),
        ('host = "10.0.0.7"\ntrusted_proxies = ["10.0.0.5"]', 0),
        ('host = "localhost"', 0),
    ],
)
def test_tokens_over_plain_http_are_warned_of(chosen: str, found: int) -> None:
    users = f'[[console.users]]\nname = "mei"\ntoken_hash = "scrypt:16:1:1:{"s" * 22}:{"k" * 43}"\n'
    settings = load_settings(write(f'[console]\nauth = "token"\n{chosen}\n{users}'))
    assert ["plain HTTP" in text for text in weak_protection(settings)] == [True] * found


@pytest.mark.parametrize(
    ("host", "secret", "verification", "words"),
    [
        ("127.0.0.1", "s" * 8, "signature", []),
        ("127.0.0.1", "s" * 7, "signature", ["fewer than 8 characters"]),
        ("0.0.0.0", "s" * 8, "signature", []),
        ("0.0.0.0", "s" * 8, "none", ["whoever reaches it"]),
        ("::", "s" * 8, "none", ["whoever reaches it"]),
        ("localhost", "s" * 8, "none", []),
        ("::1", "s" * 8, "none", []),
        ("example.org", "s", "none", ["fewer than 8", "whoever reaches it"]),
    ],
)
def test_weak_protection_is_found(
    host: str, secret: str, verification: str, words: list[str]
) -> None:
    source = SIGNED.replace('"signature"', f'"{verification}"')
    settings = load_settings(
        write(f'[receiver]\nhost = "{host}"\n{source}secrets = ["{secret}"]\n')
    )
    found = list(weak_protection(settings))
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))
