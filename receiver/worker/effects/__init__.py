"""The ledger of effects: what a handler does once, whatever comes again (docs/handlers.md)."""
