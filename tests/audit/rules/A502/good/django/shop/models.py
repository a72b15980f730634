photo = models.ImageField()
