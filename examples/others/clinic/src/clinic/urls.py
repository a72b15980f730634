from django.urls import path

from appointments import views

urlpatterns = [
    path("healthz", views.healthz),
    path("appointments", views.appointments),
]
