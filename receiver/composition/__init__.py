"""The only place that composes settings and parts."""
