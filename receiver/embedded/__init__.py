"""Our own nats-server: started, watched, restarted."""
