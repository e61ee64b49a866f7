"""The table of alerts, and the conditions it is made of: as PromQL, and evaluated by ourselves."""
