from django.db import models


class Appointment(models.Model):
    patient = models.CharField(max_length=100)
    starts_at = models.DateTimeField(unique=True)
    letter = models.FileField(upload_to="letters/", blank=True)

    class Meta:
        ordering = ["starts_at"]

    def __str__(self):
        return f"{self.patient}, {self.starts_at:%Y-%m-%d %H:%M}"
