INSTALLED_APPS = []
SECRET_KEY = "tr0ub4dor-and-django"
