"""What Yizhan's receiver is measured against; each is run by uvicorn in a process of its own."""
