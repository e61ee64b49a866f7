"""Who is let into the console, by each mode, and whom another site makes come."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from receiver.cli.app import app
from receiver.console.doors.attempts import FREE, PAUSE_S
from receiver.console.doors.forms import LIMIT_BYTES
from receiver.console.doors.sessions import SESSION_S
from receiver.console.doors.tokens import hash_token, is_token
from receiver.console.doors.viewer import Viewer
from tests.console.asked import (
    AWAY,
    HERE,
    OTHER,
    PROXY,
    SAME,
    SECRET,
    TOKEN,
    USERS,
    Browser,
    by_proxy,
    by_token,
    cheap_hash,
    console,
    in_parts,
)

FORM = "application/x-www-form-urlencoded"


# none: this machine alone


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        (HERE, {}, 200),
        ("::1", {"host": "[::1]:8081"}, 200),
        (HERE, {"host": "127.0.0.1"}, 200),
        (HERE, {"host": "shop.example:8081"}, 421),  # its name was made to mean 127.0.0.1
        (HERE, {"host": "localhost.shop.example"}, 421),
        (HERE, {"host": "[::1"}, 421),
        (AWAY, {}, 421),
        ("no address", {}, 421),
        (HERE, {"x-forwarded-for": AWAY}, 403),
        (HERE, {"forwarded": f"for={AWAY}"}, 403),
    ],
)
async def test_without_auth_this_machine_alone_comes_in(
    peer: str, headers: dict[str, str], status: int
) -> None:
    answer = await Browser(console(), peer).get("/orders", **headers)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["viewer"] == ["console", "admin", True]


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"host": "0.0.0.0"}, 'auth = "none" lets everyone in who reaches 0.0.0.0: write host'),
        ({"host": "console.internal"}, "lets everyone in who reaches console.internal"),
        ({"users": USERS}, 'auth = "none" knows no users'),
        ({"auth": "token"}, r"needs users: add \[\[console.users\]\]"),
        ({"auth": "token", "users": [{"name": "mei"}]}, "'mei' has no token_hash"),
        ({"auth": "token", "users": USERS[:1] * 2}, "two users are named 'mei'"),
        ({"auth": "token", "users": [{"name": "a:b"}]}, "write the name alone"),
        ({"auth": "token", "users": [{"name": "a", "token_hash": TOKEN}]}, "is no hash"),
        ({"auth": "proxy", "users": [{"name": "a"}]}, "needs trusted_proxies"),
        (
            {"auth": "proxy", "users": [{"name": "a"}], "trusted_proxies": [PROXY]},
            "needs proxy_secret or proxy_secret_file",
        ),
        ({"proxy_secret": "short"}, "a token has 16 or more"),
        ({"root_path": "ops"}, "write the path below which a proxy serves it"),
        ({"root_path": "/ops/../x"}, "write the path below which a proxy serves it"),
    ],
)
def test_settings_that_leave_a_door_open_are_refused(chosen: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        console(**chosen)


@pytest.mark.parametrize("cost", ["3:8:5", "262144:8:5", "16384:99:1", "0:8:1"])
def test_a_hash_that_costs_too_much_is_refused(cost: str) -> None:
    costly = f"scrypt:{cost}:{'s' * 22}:{'k' * 43}"
    with pytest.raises(ValidationError, match="costs too much, or nothing"):
        console(auth="token", users=[{"name": "mei", "token_hash": costly}])


# token: users log in


async def test_whoever_is_not_logged_in_gets_the_form_and_then_the_page_asked_for() -> None:
    browser = Browser(by_token())
    asked = await browser.get("/orders?since=2h&type=payment.succeeded")
    assert asked.status_code == 303
    form = await browser.get(asked.headers["location"])
    assert 'value="/orders?since=2h&amp;type=payment.succeeded"' in form.text
    answer = await browser.log_in(next="/orders?since=2h&type=payment.succeeded")
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/orders?since=2h&type=payment.succeeded",
    )
    cookie = answer.headers["set-cookie"]
    assert cookie.endswith(f"; Max-Age={SESSION_S}; Path=/; HttpOnly; SameSite=Lax")
    assert (await browser.get("/orders")).json()["viewer"] == ["mei", "admin", True]


async def test_a_program_and_a_form_without_session_get_401() -> None:
    browser = Browser(by_token())
    answer = await browser.get("/orders/1.json")
    assert (answer.status_code, answer.json()) == (401, {"error": "Log in first."})
    assert answer.headers["www-authenticate"] == "Bearer"
    answer = await browser.post("/dead/retry")
    assert answer.status_code == 401
    assert 'href="/login"' in answer.text


async def test_a_wrong_token_and_an_unknown_name_are_answered_alike() -> None:
    browser = Browser(by_token())
    wrong, unknown, empty = (
        await browser.log_in(token=OTHER),
        await browser.log_in(name="nobody"),
        await browser.log_in(name="", token=""),
    )
    assert wrong.status_code == unknown.status_code == empty.status_code == 401
    assert wrong.text == unknown.text == empty.text
    assert "The name or the token is wrong." in wrong.text
    assert browser.cookies == {}


async def test_a_session_ends_after_its_time_at_a_logout_and_with_its_user() -> None:
    browser = Browser(by_token())
    await browser.log_in()
    browser.clock.now += SESSION_S
    assert (await browser.get("/")).status_code == 200
    browser.clock.now += 1
    assert (await browser.get("/")).status_code == 303
    await browser.log_in()
    copied = dict(browser.cookies)
    gone = await browser.post("/logout")
    browser.cookies = copied
    assert (await browser.get("/")).status_code == 303
    assert (gone.status_code, gone.headers["location"]) == (303, "/login")
    assert "yizhan-console=;" in gone.headers["set-cookie"]
    assert "Max-Age=0" in gone.headers["set-cookie"]
    assert (await browser.get("/logout")).status_code == 405
    other = Browser(by_token())
    await browser.log_in()
    other.cookies = browser.cookies  # of another process, whose key is another
    assert (await other.get("/")).status_code == 303


async def test_a_cookie_that_was_changed_is_worth_nothing() -> None:
    browser = Browser(by_token())
    await browser.log_in(name="li.wei@shop", token=OTHER)
    (cookie,) = browser.cookies.values()
    assert (await browser.get("/")).json()["viewer"] == ["li.wei@shop", "viewer", False]
    payload, _, signature = cookie.partition(".")
    for changed in (f"Im1laSI.{signature}", payload, "", "%00", f"{cookie}x", "." * 99, "é"):
        sent = [(b"cookie", f"yizhan-console={changed}".encode())]
        assert (await browser.send("GET", "/", headers=sent)).status_code == 303, changed


async def test_the_cookie_is_for_https_alone_where_that_is_used() -> None:
    behind = Browser(by_token(trusted_proxies=[PROXY]), PROXY)
    secured = await behind.post(
        "/login", {"name": "mei", "token": TOKEN}, x_forwarded_proto="https"
    )
    assert secured.headers["set-cookie"].endswith("; Secure")
    behind.peer = AWAY  # who is no proxy may claim what it wants
    claimed = await behind.post(
        "/login", {"name": "mei", "token": TOKEN}, x_forwarded_proto="https"
    )
    assert "Secure" not in claimed.headers["set-cookie"]


@pytest.mark.parametrize(
    "then",
    [
        "https://shop.example/",
        "//shop.example/",
        "/\\shop.example",
        "/a\r\nset-cookie: a=b",
        "javascript:alert(1)",
        '/"><script>',
        "",
    ],
)
async def test_a_login_leads_to_pages_of_ours_alone(then: str) -> None:
    answer = await Browser(by_token()).log_in(next=then)
    assert answer.headers["location"] == "/"


async def test_a_bearer_token_reads_json_and_nothing_else() -> None:
    browser = Browser(by_token())
    bearer = f"Bearer li.wei@shop.{OTHER}"
    answer = await browser.get("/orders/1.json", authorization=bearer)
    assert answer.json()["viewer"] == ["li.wei@shop", "viewer", False]
    assert "authorization" not in answer.json()["headers"]
    assert (await browser.get("/orders/1", authorization=bearer)).status_code == 303
    for wrong in (f"Bearer mei.{OTHER}", f"Bearer {OTHER}", f"Basic mei.{TOKEN}", "Bearer"):
        answer = await browser.get("/orders/1.json", authorization=wrong)
        assert answer.status_code == 401, wrong


async def test_who_guesses_waits_and_others_do_not() -> None:
    browser = Browser(by_token(), AWAY)
    for _ in range(FREE):
        assert (await browser.log_in(token=OTHER)).status_code == 401
    refused = await browser.log_in()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, str(int(PAUSE_S) + 1))
    asked = await browser.get("/a.json", authorization=f"Bearer mei.{TOKEN}")
    assert asked.status_code == 429
    browser.peer = HERE
    assert (await browser.log_in()).status_code == 303
    browser.peer = AWAY
    browser.clock.now += PAUSE_S
    assert (await browser.log_in()).status_code == 303


async def test_guesses_through_a_proxy_count_for_whom_it_names() -> None:
    browser = Browser(by_token(trusted_proxies=[PROXY]), PROXY)
    for number in range(FREE + 1):
        claimed = {"x-forwarded-for": f"203.0.113.{number}, {AWAY}"}
        answer = await browser.post("/login", {"name": "mei", "token": OTHER}, **claimed)
    assert answer.status_code == 429
    answer = await browser.post(
        "/login", {"name": "mei", "token": TOKEN}, **{"x-forwarded-for": HERE}
    )
    assert answer.status_code == 303


def test_a_command_makes_the_hash_of_a_token() -> None:
    ended = CliRunner().invoke(app, ["console", "hash-token"], input=f"{TOKEN}\n")
    hashed = ended.output.removesuffix("\n")
    assert is_token(TOKEN, hashed)
    assert not is_token(OTHER, cheap_hash(TOKEN))
    assert console(auth="token", users=[{"name": "mei", "token_hash": hashed}]).console.users
    for weak in ("short", "two words are no token", "密" * 16, f"{TOKEN}.{TOKEN}", "a" * 257):
        with pytest.raises(ValueError, match="a token has 16 to 256"):
            hash_token(weak)


# proxy: whom a trusted proxy names

NAMED = {"x-yizhan-proxy-secret": SECRET, "x-forwarded-user": "mei"}


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        (PROXY, NAMED, 200),
        (PROXY, {"x-yizhan-proxy-secret": SECRET, "remote-user": "mei"}, 200),
        (PROXY, NAMED | {"remote-user": "mei"}, 200),
        (PROXY, NAMED | {"remote-user": "admin"}, 403),
        (PROXY, {"x-forwarded-user": "mei"}, 403),
        (PROXY, NAMED | {"x-yizhan-proxy-secret": SECRET[:-1]}, 403),
        (PROXY, {"x-yizhan-proxy-secret": SECRET}, 403),
        (PROXY, NAMED | {"x-forwarded-user": "Mei"}, 403),
        (PROXY, NAMED | {"x-forwarded-user": "mei@evil.example"}, 403),
        (PROXY, NAMED | {"x-forwarded-user": ""}, 403),
        (AWAY, NAMED, 403),
        (HERE, NAMED, 403),
        (AWAY, NAMED | {"x-forwarded-for": PROXY}, 403),
    ],
)
async def test_only_a_proxy_that_proves_itself_names_the_user(
    peer: str, headers: dict[str, str], status: int
) -> None:
    answer = await Browser(by_proxy(), peer).get("/", **headers)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["viewer"] == ["mei", "operator", False]
        assert not {"x-forwarded-user", "remote-user", "x-yizhan-proxy-secret"} & set(
            answer.json()["headers"]
        )


async def test_a_proxy_names_users_in_utf_8_and_each_once() -> None:
    browser = Browser(by_proxy(), PROXY)
    named = [(b"x-yizhan-proxy-secret", SECRET.encode()), (b"x-forwarded-user", "王伟".encode())]
    answer = await browser.send("GET", "/", headers=named)
    assert answer.json()["viewer"] == ["王伟", "viewer", False]
    twice = await browser.send("GET", "/", headers=[*named, (b"x-forwarded-user", b"mei")])
    assert twice.status_code == 400


# requests of other sites

OURS = "http://localhost:8081"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "same-origin", "origin": "https://rewritten.example"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": OURS}, 403),
        ({"sec-fetch-site": ""}, 403),
        ({"origin": OURS}, 200),
        ({"origin": "http://localhost:8082"}, 403),
        ({"origin": "http://shop.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://[::1"}, 403),
        ({}, 200),  # no browser
        ({"authorization": f"Bearer mei.{TOKEN}", "sec-fetch-site": "cross-site"}, 403),
    ],
)
async def test_what_another_site_sends_changes_nothing(
    headers: dict[str, str], status: int
) -> None:
    browser = Browser(by_token())
    await browser.log_in()
    answer = await browser.send("POST", "/dead/retry", headers=headers, data={"a": "b"})
    assert answer.status_code == status
    looked = await browser.send("GET", "/dead", headers=headers)
    assert looked.status_code == 200


async def test_another_site_cannot_log_anybody_in() -> None:
    browser = Browser(by_token())
    form = {"name": "mei", "token": TOKEN}
    answer = await browser.post("/login", form, sec_fetch_site="cross-site")
    assert answer.status_code == 403
    assert browser.cookies == {}


# what answers carry


async def test_every_answer_carries_the_policy_and_a_nonce_of_its_own() -> None:
    browser = Browser(by_token())
    answers = [
        await browser.get("/"),
        await browser.get("/login"),
        await browser.get("/a.json"),
        await browser.post("/login", sec_fetch_site="cross-site"),
        await browser.log_in(),
        await browser.get("/orders"),
        await browser.send("PUT", "/orders"),
    ]
    assert [one.status_code for one in answers] == [303, 200, 401, 403, 303, 200, 405]
    nonces = set()
    for answer in answers:
        policy = answer.headers.get_list("content-security-policy")
        found = re.fullmatch(
            r"default-src 'none'; script-src 'self' 'nonce-([\w-]{22})'; style-src 'self'; "
            r"img-src 'self' data:; connect-src 'self'; form-action 'self'; "
            r"frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'",
            policy[0],
        )
        assert found
        assert len(policy) == 1
        nonces.add(found[1])
        assert answer.headers.get_list("cache-control") == ["no-store"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert len(nonces) == len(answers)
    assert answers[5].json()["nonce"] in nonces


async def test_files_of_the_package_need_no_login_and_may_be_kept() -> None:
    browser = Browser(by_token())
    answer = await browser.get("/static/console.css")
    assert (answer.status_code, answer.json()["viewer"]) == (200, None)
    assert answer.headers["cache-control"] == "no-cache"
    answer = await browser.get("/static/console.css?v=0123abcd")
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert (await browser.post("/static/console.css")).status_code == 401


# forms, methods, places


async def test_a_form_is_bounded_and_of_one_kind() -> None:
    browser = Browser(console())
    answer = await browser.post("/dead/retry", {"reason": "密 &=", "empty": ""})
    assert answer.json()["body"] == "reason=%E5%AF%86+%26%3D&empty="
    sent = SAME | {"content-type": FORM}
    large: dict[str, Any] = {"content": b"a=" + b"b" * (LIMIT_BYTES - 1), "headers": sent}
    assert (await browser.send("POST", "/a", **large)).status_code == 413
    parts: dict[str, Any] = {"content": in_parts(b"a=", b"b" * LIMIT_BYTES), "headers": sent}
    assert (await browser.send("POST", "/a", **parts)).status_code == 413
    exact: dict[str, Any] = {"content": in_parts(b"a=", b"b" * (LIMIT_BYTES - 2)), "headers": sent}
    assert (await browser.send("POST", "/a", **exact)).status_code == 200
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/json", ""):
        answer = await browser.send(
            "POST", "/a", content=b"a=b", headers=SAME | {"content-type": kind}
        )
        assert answer.status_code == 415, kind


@pytest.mark.parametrize("body", [b"name=%FF", b"name", "name=密".encode(), b"a=b&" * 1001])
async def test_a_form_that_cannot_be_read_is_refused(body: bytes) -> None:
    browser = Browser(by_token())
    answer = await browser.send(
        "POST", "/login", content=body, headers=SAME | {"content-type": FORM}
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_are_refused(method: str) -> None:
    answer = await Browser(console()).send(method, "/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize("arriving", ["/ops/yizhan/orders", "/orders"])
async def test_below_a_prefix_the_proxy_may_take_it_away_or_not(arriving: str) -> None:
    seen = (await Browser(console(root_path="/ops/yizhan/")).get(arriving)).json()
    assert (seen["root"], seen["path"]) == ("/ops/yizhan", "/ops/yizhan/orders")


async def test_below_a_prefix_the_way_in_stays_there() -> None:
    browser = Browser(by_token(root_path="/ops/yizhan"))
    bare = await browser.get("/ops/yizhan")
    assert (bare.status_code, bare.headers["location"]) == (303, "/ops/yizhan/")
    asked = await browser.get("/ops/yizhan/dead")
    assert asked.headers["location"] == "/ops/yizhan/login?next=%2Fops%2Fyizhan%2Fdead"
    form = await browser.get("/ops/yizhan/login")
    assert 'action="/ops/yizhan/login"' in form.text
    answer = await browser.post(
        "/ops/yizhan/login", {"name": "mei", "token": TOKEN, "next": "/elsewhere"}
    )
    assert answer.headers["location"] == "/ops/yizhan/"
    assert "; Path=/ops/yizhan/;" in answer.headers["set-cookie"]


def test_a_role_may_what_those_below_it_may() -> None:
    operator = Viewer("mei", "operator", personal=False)
    assert [operator.may("viewer"), operator.may("operator"), operator.may("admin")] == [
        True,
        True,
        False,
    ]


async def test_a_socket_is_closed() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await Browser(console()).app({"type": "websocket", "path": "/"}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
