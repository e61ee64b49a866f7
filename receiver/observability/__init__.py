"""What operators see: logs, the screen, counters."""
