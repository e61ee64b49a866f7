"""What today's code of a handler would do with stored events, beside what it did then."""
