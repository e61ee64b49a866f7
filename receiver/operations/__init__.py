"""What operators ask for; nothing here prints."""
