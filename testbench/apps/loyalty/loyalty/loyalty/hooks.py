"""What the bench asks this application."""

scheduler_events: dict[str, list[str]] = {}
