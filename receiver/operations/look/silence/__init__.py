"""A source of which nothing comes: how improbable that is, and what is known of it."""
