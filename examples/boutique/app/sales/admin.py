from django.contrib import admin

from .models import Customer, Payment, Product, Sale

for model in (Customer, Payment, Product, Sale):
    admin.site.register(model)
