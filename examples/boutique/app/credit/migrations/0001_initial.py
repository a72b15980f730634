import django.db.models.deletion
import sales.models
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('sales', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='CreditAccount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('limit', sales.models.Money(decimal_places=2, default=Decimal('500.00'), max_digits=12)),
                ('owed', sales.models.Money(decimal_places=2, default=Decimal('0.00'), max_digits=12)),
                ('customer', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='credit_account', to='sales.customer')),
            ],
        ),
        migrations.CreateModel(
            name='CreditCharge',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', sales.models.Money(decimal_places=2, max_digits=12)),
                ('charged_at', models.DateTimeField()),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='credit.creditaccount')),
                ('sale', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='credit_charge', to='sales.sale')),
            ],
        ),
        migrations.CreateModel(
            name='CreditPayment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', sales.models.Money(decimal_places=2, max_digits=12)),
                ('method', models.CharField(choices=[('cash', 'cash'), ('card', 'card')], max_length=10)),
                ('paid_at', models.DateTimeField()),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='credit.creditaccount')),
            ],
        ),
        migrations.AddConstraint(
            model_name='creditaccount',
            constraint=models.CheckConstraint(condition=models.Q(('owed__gte', 0)), name='credit_owed_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='creditaccount',
            constraint=models.CheckConstraint(condition=models.Q(('owed__lte', models.F('limit'))), name='credit_owed_within_limit'),
        ),
        migrations.AddConstraint(
            model_name='creditcharge',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='credit_charge_positive'),
        ),
        migrations.AddConstraint(
            model_name='creditpayment',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='credit_payment_positive'),
        ),
    ]
