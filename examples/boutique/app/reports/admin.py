from django.contrib import admin

from .models import DailyReport

admin.site.register(DailyReport)
