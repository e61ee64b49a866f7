"""Whom an OpenID provider lets into the console, and what of its answers is not believed."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response
from structlog.testing import capture_logs

from receiver.cli.console import console_beside
from receiver.composition.bus import Bus
from receiver.console.doors import guard
from receiver.console.doors.attempts import FREE
from receiver.console.doors.openid import extra
from receiver.console.doors.openid import provider as client
from receiver.console.doors.openid.entry import LOGIN_S
from receiver.console.doors.openid.id_token import LEEWAY_S
from receiver.console.doors.openid.provider import KEPT_S, PAUSE_S
from receiver.console.doors.sessions import SESSION_S
from receiver.errors import ConfigurationError
from receiver.settings import Settings
from receiver.settings.secret_files import secret_files, with_secrets, without_files
from tests.console.asked import AWAY, PROXY, Browser, Clock, console, echo
from tests.console.openid_provider import (
    CLIENT,
    CLIENT_SECRET,
    PUBLIC,
    Place,
    Provider,
    new_key,
    providing,
)

GRANTS = [
    {"claim": "sub", "value": "7f3a", "role": "viewer"},
    {"claim": "groups", "value": "on-call", "role": "operator"},
    {"claim": "groups", "value": "support", "personal": True},
    {"claim": "email", "value": "mei@shop.example", "role": "admin"},
]


def by_openid(root_path: str = "", **chosen: Any) -> Settings:
    oidc = {
        "issuer": "https://id.example",
        "client_id": CLIENT,
        "client_secret": CLIENT_SECRET,
        "public_url": PUBLIC + root_path,
        "grants": GRANTS,
    }
    return console(
        auth="oidc", root_path=root_path, trusted_proxies=[PROXY], oidc={**oidc, **chosen}
    )


@pytest.fixture(scope="module")
async def place() -> AsyncIterator[Place]:
    async with providing() as place:
        yield place


@pytest.fixture
def provider(place: Place) -> Provider:
    place.provider = Provider(Clock(), place.issuer)
    return place.provider


def browser_of(provider: Provider, peer: str = AWAY, **chosen: Any) -> Browser:
    settings = by_openid(**{"issuer": provider.issuer, **chosen})
    return Browser(settings, peer, provider.clock)


async def begun(provider: Provider, browser: Browser, path: str = "/login") -> str:
    """Where the provider sends a browser that asks to log in."""
    return provider.let_in((await browser.get(path)).headers["location"])


async def tried(provider: Provider, **chosen: Any) -> tuple[int, str]:
    """The status and the text that a login of a new browser ends with."""
    browser = browser_of(provider, **chosen)
    answer = await browser.get(await begun(provider, browser))
    if answer.status_code == 303:
        assert (await browser.get("/")).status_code == 200
    else:
        assert (await browser.get("/")).status_code == 303
        assert "yizhan-console=" not in answer.headers.get("set-cookie", "")
    return answer.status_code, unescape(answer.text)


async def test_a_login_leads_through_the_provider_to_the_page_asked_for(provider: Provider) -> None:
    browser = browser_of(provider)
    asked = await browser.get("/orders?since=2h&type=payment.succeeded")
    assert asked.headers["location"].startswith("/login?next=")
    going = await browser.get(asked.headers["location"])
    (bound,) = going.headers.get_list("set-cookie")
    assert bound.startswith("yizhan-console-login=")
    assert bound.endswith(f"; Max-Age={LOGIN_S}; Path=/; HttpOnly; SameSite=Lax")
    icon = await browser.get("/login?next=/favicon.ico", sec_fetch_dest="image")
    assert (icon.status_code, icon.headers.get("set-cookie")) == (401, None)
    back = provider.let_in(going.headers["location"])
    with capture_logs() as lines:
        answer = await browser.get(back, sec_fetch_site="cross-site")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/orders?since=2h&type=payment.succeeded"
    session, gone = answer.headers.get_list("set-cookie")
    assert session.startswith("yizhan-console=")
    assert session.endswith(f"; Max-Age={SESSION_S}; Path=/; HttpOnly; SameSite=Lax")
    assert gone.startswith("yizhan-console-login=; Max-Age=0;")
    assert (await browser.get("/orders")).json()["viewer"] == ["7f3a", "viewer", False]
    assert (await browser.get("/orders.json")).json()["viewer"] == ["7f3a", "viewer", False]
    assert [line["event"] for line in lines] == ["console_logged_in"]
    assert provider.asked == ["metadata", "keys", "token"]


async def test_a_login_is_good_once_in_its_browser_for_its_time(provider: Provider) -> None:
    """Another's code in my browser would log me in as them (RFC 6749, section 10.12)."""
    mine, other = browser_of(provider), browser_of(provider)
    other.app = mine.app
    theirs = await begun(provider, other)
    for path in (theirs, theirs.partition("?")[0], "/oidc/callback?code=code-0&state="):
        refused = await mine.get(path)
        assert refused.status_code == 401, path
        assert 'href="/login"' in refused.text
    await begun(provider, mine)
    assert (await mine.get(theirs)).status_code == 401  # with a login of its own under way
    copied = dict(other.cookies)
    assert (await other.send("HEAD", theirs)).status_code == 405
    assert (await other.get(theirs.replace("?", "?state=x&"))).status_code == 401  # named twice
    assert (await other.get(theirs)).status_code == 303
    other.cookies = copied
    assert (await other.get(theirs)).status_code == 401  # the state was used
    late = await begun(provider, mine)
    mine.clock.now += LOGIN_S + 1
    assert (await mine.get(late)).status_code == 401
    assert provider.asked.count("token") == 1
    assert mine.cookies.keys() == {"yizhan-console-login"}


async def test_a_code_of_another_login_is_refused_by_its_challenge(provider: Provider) -> None:
    mine, other = browser_of(provider), browser_of(provider)
    stolen = parse_qs(urlsplit(await begun(provider, other)).query)["code"][0]
    state = parse_qs(urlsplit(await begun(provider, mine)).query)["state"][0]
    answer = await mine.get(f"/oidc/callback?code={stolen}&state={state}")
    assert answer.status_code == 401
    assert "does not accept this login any more" in answer.text


def part(value: object) -> str:
    """A part of a token: bytes as they are, all else as JSON."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unsigned(claims: dict[str, Any]) -> str:
    return f"{part({'alg': 'none'})}.{part(claims)}."


async def test_an_id_token_that_proves_nothing_lets_nobody_in(provider: Provider) -> None:
    public = provider.keys[0].as_pem(private=False)
    foreign = new_key("one")

    def by_public_key(claims: dict[str, Any]) -> str:
        signed = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(claims)}"
        return f"{signed}.{part(hmac.digest(public, signed.encode(), 'sha256'))}"

    def by_another(claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "ES256", "kid": "one"}, claims, foreign)

    def changed(claims: dict[str, Any]) -> str:
        header, _, signature = provider.signed(claims).split(".")
        return f"{header}.{part(claims | {'groups': ['on-call']})}.{signature}"

    now = int(provider.clock.now)
    proven = "What the provider says about you is not proven."
    timely = "The provider's answer is of another time"
    for claims, sign, says in (
        ({"nonce": "another"}, None, proven),
        ({"nonce": None}, None, proven),
        ({"aud": "another"}, None, proven),
        ({"aud": None}, None, proven),
        ({"aud": "another", "azp": CLIENT}, None, proven),
        ({"aud": [CLIENT, "another"]}, None, proven),
        ({"aud": [CLIENT, "another"], "azp": "another"}, None, proven),
        ({"azp": "another"}, None, proven),
        ({"azp": 1}, None, proven),
        ({"iss": "https://id.example"}, None, proven),
        ({"iss": f"{provider.issuer}/"}, None, proven),
        ({"iss": None}, None, proven),
        ({"sub": None}, None, proven),
        ({"sub": ""}, None, proven),
        ({"sub": 7}, None, proven),
        ({"exp": None}, None, proven),
        ({"iat": None}, None, proven),
        ({"exp": "never"}, None, proven),
        ({"exp": now - LEEWAY_S}, None, timely),
        ({"iat": now + LEEWAY_S + 1}, None, timely),
        ({"nbf": now + LEEWAY_S + 1}, None, timely),
        ({}, unsigned, proven),
        ({}, by_public_key, proven),
        ({}, by_another, proven),
        ({}, changed, proven),
        ({}, lambda _: "", proven),
        ({}, lambda _: "a.b.c", proven),
        ({}, lambda _: "é", proven),
        ({}, lambda _: f"{part([])}.{part({})}.", proven),
    ):
        provider.claims, provider.sign = claims, sign
        with capture_logs() as lines:
            status, text = await tried(provider)
        assert (status, says in text) == (401, True), (claims, sign, text)
        (line,) = [line for line in lines if line["event"] == "console_login_refused"]
        assert line.keys() == {"event", "log_level", "reason"}


async def test_an_id_token_that_is_right_in_other_words_lets_in(provider: Provider) -> None:
    now = int(provider.clock.now)
    for claims in (
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "another"], "azp": CLIENT},
        {"azp": CLIENT},
        {"exp": now - LEEWAY_S + 1},
        {"iat": now + LEEWAY_S},
    ):
        provider.claims = claims
        assert (await tried(provider))[0] == 303, claims


async def test_a_new_key_of_the_provider_is_fetched_and_an_old_one_forgotten(
    provider: Provider,
) -> None:
    browser = browser_of(provider)
    assert (await browser.get(await begun(provider, browser))).status_code == 303
    old, provider.keys = provider.keys, [new_key("two")]
    assert (await browser.get(await begun(provider, browser))).status_code == 303
    assert provider.asked == ["metadata", "keys", "token", "token", "metadata", "keys"]
    provider.sign = lambda claims: jwt.encode({"alg": "ES256", "kid": "one"}, claims, old[0])
    assert (await browser.get(await begun(provider, browser))).status_code == 401
    provider.sign, provider.asked = None, []
    provider.clock.now += KEPT_S
    assert (await browser.get(await begun(provider, browser))).status_code == 303
    assert provider.asked == ["metadata", "keys", "token"]


async def test_a_provider_that_signs_by_rsa_and_takes_the_secret_in_a_form(
    provider: Provider,
) -> None:
    key = RSAKey.generate_key(2048)  # it has no name, and is the only one
    provider.keys = [key]  # type: ignore[list-item]
    provider.sign = lambda claims: jwt.encode({"alg": "RS256"}, claims, key)
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert (await tried(provider))[0] == 303


async def test_grants_compare_whole_values(provider: Provider) -> None:
    browser = browser_of(provider, grants=GRANTS[1:], name_claim="preferred_username")
    mail = {"email": "mei@shop.example", "email_verified": True}
    for claims, viewer in (
        ({"groups": ["on-call"]}, ("operator", False)),
        ({"groups": "on-call"}, ("operator", False)),
        ({"groups": ["support"]}, ("viewer", True)),
        ({"groups": ["support", "on-call", "cooks"]}, ("operator", True)),
        ({"groups": ["support"], **mail}, ("admin", True)),
        (mail, ("admin", False)),
        (mail | {"email_verified": False}, None),
        (mail | {"email_verified": "true"}, None),
        (mail | {"email_verified": None}, None),
        (mail | {"email": "Mei@shop.example"}, None),
        (mail | {"email": "mei@shop.example.evil.example"}, None),
        ({"groups": ["On-call"]}, None),
        ({"groups": ["not-on-call", "on-call2", "on-call "]}, None),
        ({"groups": {"on-call": True}}, None),
        ({"groups": [["on-call"]]}, None),
        ({"roles": ["on-call"]}, None),
        ({}, None),
    ):
        browser.cookies = {}
        provider.claims = {"preferred_username": "王伟", **claims}
        answer = await browser.get(await begun(provider, browser))
        seen = await browser.get("/a.json")
        if viewer is None:
            assert (answer.status_code, seen.status_code) == (403, 401), claims
            assert "The provider calls you 7f3a" in answer.text
        else:
            assert answer.status_code == 303, claims
            assert seen.json()["viewer"] == ["王伟", *viewer]


async def test_acts_are_recorded_by_a_name_that_fits_or_nobody_acts(provider: Provider) -> None:
    for claim, value in (
        ("name", None),
        ("name", "a:b"),
        ("name", ["\n"]),
        ("email", "a@b.example"),
    ):
        provider.claims = {claim: value}
        status, text = await tried(provider, name_claim=claim)
        assert status == 403
        assert f'The claim "{claim}" of your login is no name' in text


async def test_a_session_ends_at_a_logout_and_after_its_time(provider: Provider) -> None:
    browser = browser_of(provider)
    await browser.get(await begun(provider, browser))
    browser.clock.now += SESSION_S
    assert (await browser.get("/")).status_code == 200
    assert (await browser.get("/logout")).status_code == 405
    assert (await browser.post("/logout", sec_fetch_site="cross-site")).status_code == 403
    copied = dict(browser.cookies)
    gone = await browser.post("/logout")
    assert (gone.status_code, gone.headers["location"]) == (303, "/logged-out")
    assert "yizhan-console=; Max-Age=0;" in gone.headers["set-cookie"]
    page = await browser.get("/logged-out")
    assert f'href="{provider.issuer}/logout?a=b&amp;client_id=yizhan%3Aops"' in page.text
    browser.cookies = copied
    assert (await browser.get("/")).status_code == 303
    await browser.get(await begun(provider, browser))
    browser.clock.now += SESSION_S + 1
    assert (await browser.get("/")).status_code == 303
    provider.metadata = {"end_session_endpoint": None}
    page = await browser.get("/logged-out")
    assert page.status_code == 200
    assert "Log out there" not in page.text


async def test_below_a_prefix_with_https_everything_stays_there(provider: Provider) -> None:
    provider.redirect_uri = "https://ops.example/ops/yizhan/oidc/callback"
    browser = browser_of(
        provider, root_path="/ops/yizhan", public_url="https://ops.example/ops/yizhan/"
    )
    going = await browser.get("/ops/yizhan/login?next=/ops/yizhan/dead")
    back = provider.let_in(going.headers["location"])
    answer = await browser.get(back)
    assert answer.headers["location"] == "/ops/yizhan/dead"
    for cookie in [*going.headers.get_list("set-cookie"), *answer.headers.get_list("set-cookie")]:
        assert cookie.endswith("; Path=/ops/yizhan/; HttpOnly; SameSite=Lax; Secure")


async def test_a_login_leads_to_pages_of_ours_alone(provider: Provider) -> None:
    browser = browser_of(provider)
    for then in (
        "https://shop.example/", "//shop.example/", "/%5Cshop.example", "javascript:alert(1)",
        f"/orders?{'a' * 4000}",
    ):  # fmt: skip
        answer = await browser.get(await begun(provider, browser, f"/login?next={then}"))
        assert answer.headers["location"] == "/", then


async def test_an_error_in_place_of_a_code_is_shown_where_it_is_a_plain_word(
    provider: Provider,
) -> None:
    browser = browser_of(provider)
    for given, says in (
        ("error=access_denied", "did not let you in: access_denied."),
        ("error=Call+0900+and+pay", "did not let you in: no_code."),
        ("", "did not let you in: no_code."),
    ):
        state = parse_qs(urlsplit(await begun(provider, browser)).query)["state"][0]
        answer = await browser.get(f"/oidc/callback?{given}&state={state}")
        assert (answer.status_code, says in answer.text) == (401, True), given
    assert (await browser.get(f"/oidc/callback?{'a&' * 101}")).status_code == 400
    assert "token" not in provider.asked


async def test_without_authorities_no_login_begins_but_the_console_is_there(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    answer = await browser_of(provider).get("/login")
    assert (answer.status_code, "SSL_CERT_FILE" in answer.text) == (502, True)


async def test_what_is_wrong_with_a_provider_is_named(provider: Provider) -> None:
    for changes, says in (
        ({"issuer": "https://id.example"}, "calls itself by another issuer"),
        ({"issuer": None}, "calls itself by another issuer"),
        ({"token_endpoint": "http://id.example/token"}, "publishes no token_endpoint with https"),
        ({"authorization_endpoint": "javascript:1"}, "publishes no authorization_endpoint"),
        ({"authorization_endpoint": None}, "publishes no authorization_endpoint"),
        ({"end_session_endpoint": ["x"]}, "publishes no end_session_endpoint"),
        ({"jwks_uri": f"{provider.issuer}/nowhere"}, "publishes no key that can be used"),
        ({"jwks_uri": "http://127.0.0.1:1/keys"}, "cannot be reached (ConnectError)"),
        ({"more": "a" * 2**20}, "gives answers of more than 1 MiB"),
    ):
        provider.metadata = changes
        with capture_logs() as lines:
            answer = await browser_of(provider).get("/login")
        assert (answer.status_code, says in answer.text) == (502, True), (changes, answer.text)
        assert [(line["event"], says in line["error"]) for line in lines] == [
            ("console_provider_failed", True)
        ]
    answer = await browser_of(provider, issuer=f"{provider.issuer}/other").get("/login")
    assert "answers 404" in answer.text


async def test_a_token_endpoint_that_fails_is_named_and_its_answer_kept_secret(
    provider: Provider,
) -> None:
    secret = "eyJhbGciOiJFUzI1NiJ9"
    for given, says in (
        (JSONResponse({"error": "invalid_client"}, 400), "does not accept the console"),
        (JSONResponse({"error": secret}, 400), "gave no ID token for a code (status 400)"),
        (JSONResponse({"access_token": secret}), "gave no ID token for a code (status 200)"),
        (JSONResponse([secret]), "gave no ID token for a code (status 200)"),
        (JSONResponse({"id_token": {"a": secret}}), "gave no ID token for a code"),
        (Response(b"[" * 100_000), "gave no ID token for a code"),
        (Response(secret, 302, {"location": "/elsewhere"}), "(status 302)"),
    ):
        provider.answer = given
        with capture_logs() as lines:
            status, text = await tried(provider)
        assert (status, says in text) == (502, True), text
        assert secret not in text + str(lines)
    provider.answer = None
    status, text = await tried(provider, client_secret="another")
    assert (status, "compare console.oidc.client_id and client_secret" in text) == (502, True)


async def test_a_provider_that_is_silent_is_given_up_and_left_alone_for_a_while(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = browser_of(provider)
    with monkeypatch.context() as patched:
        patched.setattr(client, "ANSWER_S", 0.05)
        provider.speaking.clear()
        for _ in range(3):
            answer = await browser.get("/login")
            assert (answer.status_code, "did not answer within" in answer.text) == (502, True)
        assert provider.asked.count("metadata") <= 1
        assert (await browser.get("/logged-out")).status_code == 200
    provider.speaking.set()
    browser.clock.now += PAUSE_S
    assert (await browser.get(await begun(provider, browser))).status_code == 303


async def test_whose_logins_fail_waits_and_others_do_not(provider: Provider) -> None:
    browser = browser_of(provider)
    provider.claims = {"nonce": "another"}
    for _ in range(FREE):
        assert (await browser.get(await begun(provider, browser))).status_code == 401
    provider.claims = {}
    refused = await browser.get(await begun(provider, browser))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "61")
    browser.peer = PROXY
    for address, status in ((AWAY, 429), ("192.0.2.8", 303)):
        answer = await browser.get(await begun(provider, browser), x_forwarded_for=address)
        assert answer.status_code == status


def test_settings_that_leave_the_door_open_are_refused() -> None:
    for chosen, says in (
        ({"issuer": "http://id.example"}, "write a URL with https"),
        ({"issuer": "https://id.example/?a"}, "without credentials, query or fragment"),
        ({"issuer": "https://a:b@id.example"}, "without credentials"),
        ({"public_url": "http://ops.example"}, "write a URL with https"),
        ({"public_url": f"{PUBLIC}/ops"}, "write the same path in both"),
        ({"grants": []}, "grants"),
        ({"grants": [{"claim": "groups", "value": ""}]}, "value"),
        ({"grants": [{"claim": "email", "pattern": ".*@shop.example"}]}, "pattern"),
        ({"scopes": ["profile"]}, 'a list of scopes with "openid"'),
        ({"client_secret": ""}, "is empty"),
        ({"client_secret": "${SECRET}"}, "is not replaced by a variable"),
        ({"client_secret": None}, "needs client_secret or client_secret_file"),
        ({"client_secret_file": "/run/secrets/oidc"}, "needs client_secret or client_secret_file"),
    ):
        with pytest.raises(ValidationError, match=says):
            by_openid(**chosen)
    for missing in ({}, {"users": [{"name": "mei"}], "oidc": by_openid().console.oidc}):
        with pytest.raises(ValidationError, match=r"\[\[?console.oidc"):
            console(auth="oidc", **missing)


def test_the_secret_of_the_client_is_read_from_its_file_and_shown_nowhere(tmp_path: Any) -> None:
    file = tmp_path / "oidc"
    file.write_text(f"{CLIENT_SECRET}\n", encoding="utf-8")
    settings = by_openid(client_secret=None, client_secret_file=file)
    assert ("console.oidc.client_secret_file", file) in list(secret_files(settings))
    read = without_files(with_secrets(settings)).console.oidc
    assert read is not None
    assert read.client_secret is not None
    assert (read.client_secret.get_secret_value(), read.client_secret_file) == (CLIENT_SECRET, None)
    assert "client_secret" not in repr(read)


async def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'yizhan\[oidc\]'"):
        guard(echo, by_openid())
    guard(echo, console())
    with capture_logs() as lines:
        async with console_beside(by_openid(), cast("Bus", None), (), None) as url:
            assert url is None
    assert [line["event"] for line in lines] == ["console_not_served"]
