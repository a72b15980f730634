from django.db import models


class Book(models.Model):
    title = models.CharField(max_length=200)
    cover = models.FileField(upload_to="covers/", blank=True)

    class Meta:
        ordering = ["title"]

    def __str__(self):
        return self.title


class Loan(models.Model):
    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    reader = models.CharField(max_length=100)
    due = models.DateField()
    returned = models.DateField(null=True, blank=True)
    reminded = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["book"], condition=models.Q(returned__isnull=True), name="lent_to_one_reader"
            ),
        ]

    def __str__(self):
        return f"{self.book} to {self.reader}"
