from django.urls import path

from . import views

urlpatterns = [
    path("invoices/<str:number>/", views.invoice, name="invoice"),
    path("invoices/<str:number>/document", views.document, name="invoice-document"),
]
