INSTALLED_APPS = []
DEBUG = int(os.environ.get("DEBUG", default=1))
