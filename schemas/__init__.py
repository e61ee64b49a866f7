"""The words: pydantic models of events and platform messages. No I/O, no clock, no settings."""
