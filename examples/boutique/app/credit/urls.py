from django.urls import path

from . import views

urlpatterns = [
    path("payments/", views.payments, name="credit-payments"),
    path("<int:customer_id>/", views.account, name="credit-account"),
]
