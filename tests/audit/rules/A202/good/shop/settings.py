INSTALLED_APPS = []
SECRET_KEY = env("SECRET_KEY")
ADMIN_URL = env("ADMIN_URL", default="admin/")
