//! L4: the use cases: plan, release, rollback, backup, restore, adopt, status, doctor.
