"""The way of a callback from the endpoint to the publisher."""
