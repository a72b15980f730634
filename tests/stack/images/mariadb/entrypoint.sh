#!/usr/bin/env bash
# First start: initialises the data directory from MARIADB_ROOT_PASSWORD, MARIADB_DATABASE, MARIADB_USER and
# MARIADB_PASSWORD (each also as MYSQL_*, and as *_FILE), runs /docker-entrypoint-initdb.d, then serves.
set -euo pipefail
readonly DATA=/var/lib/mysql

value_of() { # name without its MARIADB_ or MYSQL_
    local prefix variable file
    for prefix in MARIADB MYSQL; do
        variable="${prefix}_$1" file="${prefix}_$1_FILE"
        if [ -n "${!variable:-}" ]; then printf '%s' "${!variable}"; return; fi
        if [ -n "${!file:-}" ]; then cat "${!file}"; return; fi
    done
}

# For a string literal of SQL.
quoted() { local text=${1//\\/\\\\}; printf "'%s'" "${text//\'/\\\'}"; }

initialise() {
    local root database user password process file
    root="$(value_of ROOT_PASSWORD)" database="$(value_of DATABASE)"
    user="$(value_of USER)" password="$(value_of PASSWORD)"
    if [ -z "$root" ]; then
        echo 'Error: database is uninitialized and MARIADB_ROOT_PASSWORD is not set.' >&2
        exit 1
    fi
    mariadb-install-db --datadir="$DATA" --skip-test-db --auth-root-authentication-method=normal >/dev/null
    # While it is being filled, the server listens on its socket alone: nobody is told that it is ready.
    mariadbd --skip-networking &
    process=$!
    for _ in $(seq 300); do
        if mariadb-admin --user=root ping >/dev/null 2>&1; then break; fi
        sleep 0.1
    done
    {
        printf "DELETE FROM mysql.global_priv WHERE User = '';\n"
        printf "CREATE USER root@'%%' IDENTIFIED BY %s;\n" "$(quoted "$root")"
        printf "GRANT ALL ON *.* TO root@'%%' WITH GRANT OPTION;\n"
        if [ -n "$database" ]; then printf 'CREATE DATABASE `%s`;\n' "${database//\`/\`\`}"; fi
        if [ -n "$user" ]; then
            printf "CREATE USER %s@'%%' IDENTIFIED BY %s;\n" "$(quoted "$user")" "$(quoted "$password")"
            if [ -n "$database" ]; then
                printf "GRANT ALL ON \`%s\`.* TO %s@'%%';\n" "${database//\`/\`\`}" "$(quoted "$user")"
            fi
        fi
        printf 'FLUSH PRIVILEGES;\nALTER USER root@localhost IDENTIFIED BY %s;\n' "$(quoted "$root")"
    } | mariadb --user=root mysql
    export MYSQL_PWD=$root
    for file in /docker-entrypoint-initdb.d/*; do
        # shellcheck disable=SC1090  # what the person mounts there
        case "$file" in
            *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
            *.sql) mariadb --user=root ${database:+"$database"} <"$file" ;;
            *.sql.gz) gunzip -c "$file" | mariadb --user=root ${database:+"$database"} ;;
        esac
    done
    mariadb-admin --user=root shutdown
    unset MYSQL_PWD
    wait "$process"
    echo 'MariaDB init process done. Ready for start up.'
}

if [ "${1:0:1}" = '-' ]; then set -- mariadbd "$@"; fi

if { [ "$1" = mariadbd ] || [ "$1" = mysqld ]; } && [ "$(id -u)" = 0 ]; then
    find "$DATA" /run/mysqld \! -user mysql -exec chown mysql:mysql '{}' +
    exec setpriv --reuid=mysql --regid=mysql --init-groups "$0" "$@"
fi
if [ "$1" = mariadbd ] || [ "$1" = mysqld ]; then
    [ -d "$DATA/mysql" ] || initialise
fi
exec "$@"
