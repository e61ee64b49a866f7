"""What becomes of acknowledged callbacks when parts of the system fail: `make faults`."""
