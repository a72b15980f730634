INSTALLED_APPS = []
SECRET_KEY = os.getenv(
    "SECRET_KEY",
    "hunter2)-and-more",
)
