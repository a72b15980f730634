from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Appointment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("patient", models.CharField(max_length=100)),
                ("starts_at", models.DateTimeField(unique=True)),
                ("letter", models.FileField(blank=True, upload_to="letters/")),
            ],
            options={"ordering": ["starts_at"]},
        ),
    ]
