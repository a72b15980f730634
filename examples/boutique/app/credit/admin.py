from django.contrib import admin

from .models import CreditAccount, CreditCharge, CreditPayment

for model in (CreditAccount, CreditCharge, CreditPayment):
    admin.site.register(model)
