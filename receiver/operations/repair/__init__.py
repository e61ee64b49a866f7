"""What operators do to what is stored: dead letters and quarantine."""
