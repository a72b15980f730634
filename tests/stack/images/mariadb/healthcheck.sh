#!/bin/sh
# Says 0 once the server takes connections over the network. The official script has more questions (--connect and
# --innodb_initialized are those that Compose files ask); a server that refuses the password has answered as well.
out=$(mariadb-admin --host=127.0.0.1 --user=healthcheck --connect-timeout=2 ping 2>&1) && exit 0
case "$out" in *'Access denied'*) exit 0 ;; *) exit 1 ;; esac
