from django.contrib import admin
from django.urls import include, path

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("healthz/", views.healthz, name="healthz"),
    path("admin/", admin.site.urls),
    path("api/v1/version/", views.version, name="version"),
    path("api/v1/auth/", include("accounts.urls")),
    path("api/v1/", include("sales.urls")),
    path("api/v1/", include("billing.urls")),
    path("api/v1/credit/", include("credit.urls")),
    path("api/v1/reports/", include("reports.urls")),
]
