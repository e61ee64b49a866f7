"""The engine: takes callbacks in, puts typed events on JetStream, runs handlers."""
