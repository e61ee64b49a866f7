"""What the events of an order add up to: pure folds, no I/O."""
