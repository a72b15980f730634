# The demo's own words.

demo-part-open = Opening the shop: v1, three tenants, the edge in front, a backup that is restored and proved
demo-part-schema = 1. Release v2, with a schema migration
demo-part-bad = 2. Release v3: its smoke tests pass, its customers suffer; the watch has to catch it
demo-part-healthy = 2. Release a healthy v3
demo-part-rollback = 2. …and roll it back, with the data
demo-part-killed = 3. Release v3 again, killed with SIGKILL in the middle of a migration, and resumed
demo-part-restore = 4. Restore one tenant's newest restore point beside the live one, and prove it
demo-killed = The runner of { $run } was killed with SIGKILL. Resuming.
demo-interrupted = Stopping everything.
demo-measured = What was measured
demo-salvaged = Sales acknowledged by a release that was taken back, now in salvage points: { $sales }
demo-left = Everything is left in { $directory }; delete it when you like. The reports:
demo-rounds = { $good } of { $all } ended as they should.
demo-good = Every part ended as it should, and nothing was lost.
demo-bad = Something did not end as it should: see above.
