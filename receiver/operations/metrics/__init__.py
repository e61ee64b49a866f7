"""One page of metrics for all processes: what they counted, and what the log holds."""
