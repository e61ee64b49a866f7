"""The commands that mend what is stored: dead letters, quarantine."""
