from django.urls import path

from loans import views

urlpatterns = [
    path("api/health", views.health),
    path("api/books", views.books),
    path("api/books/<int:book_id>/loan", views.loan),
]
