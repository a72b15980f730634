# What people have made of tenants themselves.

hint-customizations = See how it is written: eclusa customizations export --help    eclusa customizations diff --help
customizations-kept = { $tenant }: { $count ->
    [one] one document
   *[other] { $count } documents
  } in { $file }
customizations-passed-over = Passed over, since the site has no such DocType: { $doctypes }
customizations-fixture = { $file }: { $count ->
    [one] one document
   *[other] { $count } documents
  }
customizations-without = Not in the file, since it is a secret: { $field }
customizations-hooks = For hooks.py of the app:
customizations-same = Both have the same.
customizations-only = Compared are only the DocTypes that the fixtures hold: { $doctypes }
customizations-unreadable = { $file } is no list of documents and was not compared.
customizations-not-compared = { $file }: { $count } of { $doctype } were not compared, since they are no customizations.
customizations-counts = { $added } added, { $changed } changed, { $removed } removed.
customizations-written = { $file } is written, { $bytes }.
customizations-title = Customizations of { $tenant }
customizations-about = Stack { $stack }, release { $release }, read { $time }: { $count ->
    [one] one document
   *[other] { $count } documents
  }.
customizations-kind = DocType
customizations-count = Documents
customizations-name = Name
customizations-of = About
customizations-changed-by = Changed last by
customizations-changed-at = At (the site's own time)
customizations-script = { $document }, { $field }, { $count ->
    [one] one line
   *[other] { $count } lines
  }:
