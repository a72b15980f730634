import os

import dj_database_url

from .base import *  # noqa: F403

SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["*"]
DATABASES = {"default": dj_database_url.config(conn_max_age=30)}
