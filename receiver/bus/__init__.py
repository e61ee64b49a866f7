"""JetStream: subjects, codec, streams, publisher, consumer, replay, embedded server."""
