INSTALLED_APPS = []
DEBUG = os.getenv("DEBUG", "False") == "False"
