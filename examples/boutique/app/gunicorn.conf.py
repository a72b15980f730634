import os

bind = "0.0.0.0:8000"
workers = int(os.environ.get("WEB_WORKERS", "2"))
worker_class = "gthread"
threads = int(os.environ.get("WEB_THREADS", "4"))
timeout = 30
graceful_timeout = 20
accesslog = "-"
errorlog = "-"
worker_tmp_dir = "/dev/shm"
# Nobody uses it, and its file could not be written: the image belongs to root.
control_socket_disable = True
