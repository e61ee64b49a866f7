"""What somebody may do, by the claims of their ID token. Pure: compares whole values alone."""

from __future__ import annotations

from receiver.console.doors.openid.id_token import Claims
from receiver.console.doors.viewer import Viewer
from receiver.console.doors.visit import RefusedError
from receiver.settings.console import check_name
from receiver.settings.openid import OpenIDSettings


def granted_viewer(claims: Claims, settings: OpenIDSettings) -> Viewer:
    """The viewer whom the grants of the settings make of someone; raises `RefusedError`."""
    fitting = [grant for grant in settings.grants if grant.value in _values(claims, grant.claim)]
    if not fitting:
        raise RefusedError(
            403,
            "No grant of the console fits you: ask whoever runs it for one. The provider calls "
            f'you {claims["sub"]} (claim "sub").',
        )
    name, *_ = [*_values(claims, settings.name_claim), ""]
    try:
        check_name(name)
    except ValueError:
        raise RefusedError(
            403,
            f'The claim "{settings.name_claim}" of your login is no name that acts can be '
            "recorded by: console.oidc.name_claim should name another.",
        ) from None
    viewers = [Viewer(name, grant.role, grant.personal) for grant in fitting]
    highest = next(one for one in viewers if all(one.may(other.role) for other in viewers))
    return Viewer(name, highest.role, personal=any(one.personal for one in viewers))


def _values(claims: Claims, name: str) -> list[str]:
    """The texts of a claim; none of an e-mail address that anyone may have written there."""
    if name == "email" and claims.get("email_verified") is not True:
        return []
    given = claims.get(name)
    return [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)]
