#!/bin/bash
for site in $SITES; do
  bench --site "$site" migrate
done
exec gunicorn frappe.app:application
