"""What the bench asks this application."""

scheduler_events: dict[str, list[str]] = {}
read_by_every_page = ["Customer"]
fixtures: list[str] = []
