"""What runs handlers on events."""
