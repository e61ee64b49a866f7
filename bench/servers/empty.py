"""The ceiling: reads the body and answers 200, nothing else."""


async def app(scope, receive, send):
    """A bare ASGI application."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})
