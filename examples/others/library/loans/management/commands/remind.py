import time

from django.core.management.base import BaseCommand
from django.utils import timezone

from loans.models import Loan


class Command(BaseCommand):
    help = "Reminds readers whose books are due."

    def add_arguments(self, parser):
        parser.add_argument("--every", type=int, help="repeat after this many seconds")

    def handle(self, every, **options):
        while True:
            today = timezone.now().date()
            late = Loan.objects.filter(returned=None, due__lt=today).exclude(reminded=today)
            for loan in late.select_related("book"):
                self.stdout.write(f"{loan.reader}: {loan.book} was due on {loan.due}")
            late.update(reminded=today)
            if not every:
                return
            time.sleep(every)
