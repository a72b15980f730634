from django.test import TestCase

from .models import Book, Loan


class Lending(TestCase):
    def test_a_book_is_lent_once(self):
        book = Book.objects.create(title="Dom Casmurro")
        for status in (201, 409):
            answer = self.client.post(
                f"/api/books/{book.pk}/loan", {"reader": "Ana"}, content_type="application/json"
            )
            self.assertEqual(answer.status_code, status)
        self.assertEqual(Loan.objects.count(), 1)
