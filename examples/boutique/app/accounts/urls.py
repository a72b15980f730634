from django.urls import path

from . import views

urlpatterns = [
    path("csrf/", views.csrf, name="csrf"),
    path("login/", views.login, name="login"),
    path("me/", views.me, name="me"),
]
