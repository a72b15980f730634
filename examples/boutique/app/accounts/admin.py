from django.contrib import admin

from .models import ApiToken

admin.site.register(ApiToken)
