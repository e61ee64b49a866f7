"""Alerts without Prometheus: evaluated by one process of several, and posted to a webhook."""
