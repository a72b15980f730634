import sales.models
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='DailyReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(unique=True)),
                ('sales', models.PositiveIntegerField()),
                ('subtotal', sales.models.Money(decimal_places=2, max_digits=12)),
                ('tax', sales.models.Money(decimal_places=2, max_digits=12)),
                ('total', sales.models.Money(decimal_places=2, max_digits=12)),
                ('refreshed_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['-day'],
            },
        ),
    ]
