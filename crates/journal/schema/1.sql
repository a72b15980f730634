-- What is written is never changed; what is computed from it (the head of a run) only moves forward.
CREATE TABLE runs (
    run    TEXT NOT NULL PRIMARY KEY,
    stack  TEXT NOT NULL,
    began  TEXT NOT NULL,
    newest TEXT NOT NULL,
    events INTEGER NOT NULL CHECK (events >= 0),
    head   TEXT NOT NULL,
    digest TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (
    run      TEXT NOT NULL REFERENCES runs (run),
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    at       TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL,
    event    TEXT NOT NULL,
    PRIMARY KEY (run, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
    number  INTEGER NOT NULL PRIMARY KEY,
    run     TEXT NOT NULL REFERENCES runs (run),
    at      TEXT NOT NULL,
    request TEXT NOT NULL,
    digest  TEXT NOT NULL
) STRICT;

CREATE TABLE takings (
    number INTEGER NOT NULL PRIMARY KEY REFERENCES requests (number),
    digest TEXT NOT NULL
) STRICT;

CREATE TABLE proofs (
    stack        TEXT NOT NULL,
    tenant       TEXT NOT NULL,
    at           TEXT NOT NULL,
    point        TEXT NOT NULL,
    milliseconds INTEGER NOT NULL,
    compared     INTEGER NOT NULL,
    digest       TEXT NOT NULL,
    PRIMARY KEY (stack, tenant, at, point)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER runs_are_kept BEFORE DELETE ON runs
BEGIN SELECT RAISE(ABORT, 'a run is never deleted'); END;

CREATE TRIGGER runs_move_forward BEFORE UPDATE ON runs
WHEN new.run <> old.run OR new.stack <> old.stack OR new.began <> old.began OR new.events <> old.events + 1
BEGIN SELECT RAISE(ABORT, 'a run only gets longer'); END;

CREATE TRIGGER entries_are_kept BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'an entry is never deleted'); END;

CREATE TRIGGER entries_stay BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'an entry is never changed'); END;

CREATE TRIGGER requests_are_kept BEFORE DELETE ON requests
BEGIN SELECT RAISE(ABORT, 'a request is never deleted'); END;

CREATE TRIGGER requests_stay BEFORE UPDATE ON requests
BEGIN SELECT RAISE(ABORT, 'a request is never changed'); END;

CREATE TRIGGER takings_are_kept BEFORE DELETE ON takings
BEGIN SELECT RAISE(ABORT, 'a taking is never deleted'); END;

CREATE TRIGGER takings_stay BEFORE UPDATE ON takings
BEGIN SELECT RAISE(ABORT, 'a taking is never changed'); END;

CREATE TRIGGER proofs_are_kept BEFORE DELETE ON proofs
BEGIN SELECT RAISE(ABORT, 'a proof is never deleted'); END;

CREATE TRIGGER proofs_stay BEFORE UPDATE ON proofs
BEGIN SELECT RAISE(ABORT, 'a proof is never changed'); END;
