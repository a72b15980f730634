from django.urls import path

from . import views

urlpatterns = [
    path("products/", views.products, name="products"),
    path("sales/", views.sales, name="sales"),
    path("sales/<str:number>/", views.sale, name="sale"),
]
