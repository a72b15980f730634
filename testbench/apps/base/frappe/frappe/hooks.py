"""What the bench asks this application."""

scheduler_events = {"All": ["frappe.utils.now"], "Hourly": ["frappe.utils.now_hourly"]}
read_by_every_page = ["User"]
