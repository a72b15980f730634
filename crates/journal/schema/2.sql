-- Who keeps a tenant closed: what is now, not what was (that is in the runs).
CREATE TABLE owners (
    stack  TEXT NOT NULL,
    tenant TEXT NOT NULL,
    owner  TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (stack, tenant)
) STRICT, WITHOUT ROWID;
