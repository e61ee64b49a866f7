"""The operator console: server-made pages over what operators ask for."""
