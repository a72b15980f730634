import random
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from billing.services import issue_receipt
from credit.models import CreditAccount
from credit.services import pay
from reports.services import refresh
from sales.models import Customer, Product
from sales.services import sell

GOODS = ["Scarf", "Belt", "Hat", "Gloves", "Bag", "Shirt", "Skirt", "Coat", "Socks", "Brooch"]
COLOURS = ["red", "blue", "green", "black", "white"]
FIRST = ["Ana", "Bruno", "Clara", "David", "Elena", "Felipe", "Greta", "Hugo", "Ines", "Jonas"]
LAST = ["Almeida", "Bauer", "Costa", "Duarte", "Engel", "Fischer", "Gomes", "Huber"]


class Command(BaseCommand):
    help = "Fills a shop with products, customers, sales, invoices and credit. Refuses production."

    def add_arguments(self, parser):
        parser.add_argument("--customers", type=int, default=60)
        parser.add_argument("--sales", type=int, default=200)
        parser.add_argument("--days", type=int, default=20, help="over how many past days the sales are spread")
        parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same shop")
        parser.add_argument("--force", action="store_true", help="seed although DJANGO_ENV is production")

    def handle(self, **options):
        if settings.DJANGO_ENV == "production" and not options["force"]:
            raise CommandError("DJANGO_ENV is production: demo data is refused (--force overrides)")
        chance = random.Random(options["seed"])
        seller, created = get_user_model().objects.get_or_create(username="till")
        if created:
            seller.set_unusable_password()
            seller.save(update_fields=["password"])
        skus = [product.sku for product in self.products()]
        customers = self.customers(options["customers"])
        self.sell(chance, seller, skus, customers, options)
        refresh(options["days"] + 1)
        self.stdout.write(
            f"seeded {len(skus)} products, {len(customers)} customers, {options['sales']} sales"
        )

    def products(self):
        for index, (good, colour) in enumerate((good, colour) for good in GOODS for colour in COLOURS):
            product, _ = Product.objects.get_or_create(
                sku=f"SKU-{index + 1:03d}",
                defaults={
                    "name": f"{good}, {colour}",
                    "price": Decimal(5 + index * 3) + Decimal("0.90"),
                    "tax_rate": Decimal("10.00") if good == "Socks" else Decimal("20.00"),
                    "stock": 100_000,
                },
            )
            yield product

    def customers(self, count):
        """Typed in at the till over years, so the same mailbox occurs in more than one spelling."""
        found = []
        for index in range(count):
            first, last = FIRST[index % len(FIRST)], LAST[(index // len(FIRST)) % len(LAST)]
            email = f"{first}.{last}{index}@example.org"
            customer, _ = Customer.objects.get_or_create(
                name=f"{first} {last} {index + 1}",
                defaults={"email": email if index % 2 else email.lower(), "phone": f"+351 900 {index:06d}"},
            )
            found.append(customer)
            if index % 40 == 0 and index > 0:
                # Came before, and wrote the address in another way then.
                previous = found[index - 40]
                Customer.objects.filter(pk=customer.pk).update(email=previous.email.upper())
        for customer in found[::3]:
            CreditAccount.objects.get_or_create(customer=customer, defaults={"limit": Decimal("5000.00")})
        return found

    def sell(self, chance, seller, skus, customers, options):
        now = timezone.now()
        on_credit = [customer for customer in customers[::3]]
        for index in range(options["sales"]):
            age = timedelta(days=options["days"]) * (options["sales"] - index) / max(options["sales"], 1)
            lines = {sku: chance.randint(1, 3) for sku in chance.sample(skus, chance.randint(1, 3))}
            with transaction.atomic():
                if on_credit and index % 10 == 0:
                    customer = chance.choice(on_credit)
                    account = CreditAccount.objects.get(customer=customer)
                    if account.owed > 1000:
                        pay(customer.pk, account.owed, paid_at=now - age)
                    _, payment, _ = sell(seller, lines, "credit", customer.pk, sold_at=now - age)
                else:
                    customer = chance.choice(customers) if chance.random() < 0.6 else None
                    method = chance.choice(["cash", "card"])
                    _, payment, _ = sell(seller, lines, method, customer and customer.pk, sold_at=now - age)
                issue_receipt(payment)
            if index % 25 == 24 and on_credit:
                account = CreditAccount.objects.filter(owed__gt=10).order_by("pk").first()
                if account is not None:
                    pay(account.customer_id, Decimal("10.00"), paid_at=now - age)
