"""An endpoint for the handler `notify`: verifies what it is sent, and does each fact once.

pip install standardwebhooks
WEBHOOK_SECRET=whsec_... python -m uvicorn --app-dir examples webhook_endpoint:app --port 9000

[handlers.notify.settings]
url = "http://127.0.0.1:9000/"
secret = "whsec_..."
"""

from __future__ import annotations

import os

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

DONE: set[str] = set()
"""In a program of yours a table, written in the transaction of the work itself."""


async def take(request: Request) -> Response:
    """2xx is done; anything else comes again. Answer within 20 s."""
    try:
        event = Webhook(os.environ["WEBHOOK_SECRET"]).verify(
            await request.body(), dict(request.headers)
        )
    except WebhookVerificationError:
        return Response(status_code=401)
    key = request.headers["webhook-id"]  # the fact id: the same for all reports of one fact
    if key not in DONE:
        print(f"{event['type']} {event.get('subject')}", flush=True)
        DONE.add(key)
    return Response(status_code=204)


app = Starlette(routes=[Route("/", take, methods=["POST"])])
