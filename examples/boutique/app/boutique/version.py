import os

VERSION = "v1"
BUILD = os.environ.get("BOUTIQUE_BUILD", "unknown")
