"""The platform's API: signing, transport, one module per group of endpoints."""
