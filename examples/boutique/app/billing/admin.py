from django.contrib import admin

from .models import Invoice, Receipt

admin.site.register(Invoice)
admin.site.register(Receipt)
