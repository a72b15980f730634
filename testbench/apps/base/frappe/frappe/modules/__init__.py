"""What belongs to modules of an application."""
