import tempfile

from django.test import TestCase, override_settings

from .models import Appointment


class Booking(TestCase):
    def book(self, at):
        body = {"patient": "Ana", "starts_at": at}
        with tempfile.TemporaryDirectory() as media, override_settings(MEDIA_ROOT=media):
            return self.client.post("/appointments", body, content_type="application/json")

    def test_a_time_is_given_once(self):
        self.assertEqual(self.book("2026-05-04T09:00:00Z").status_code, 201)
        self.assertEqual(self.book("2026-05-04T09:00:00Z").status_code, 409)
        self.assertEqual(Appointment.objects.count(), 1)

    def test_nonsense_is_refused(self):
        self.assertEqual(self.book("never").status_code, 400)
