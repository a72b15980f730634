//! Which documents are customizations, by Frappe 14 and 15: their tables, which of their rows are no standard ones, what
//! hangs below them, and which of their columns hold what nobody may read.

/// Rows below a document, in a table of their own.
#[derive(Debug, Clone, Copy)]
pub struct Child {
    /// Its DocType.
    pub doctype: &'static str,
    /// The field of the document in which they stand.
    pub field: &'static str,
    /// The columns by which a row is known again; none: by its content alone.
    pub identity: &'static [&'static str],
    /// Columns whose values are not kept.
    pub secrets: &'static [&'static str],
}

/// A kind of customization.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its DocType.
    pub doctype: &'static str,
    /// The rows that are no standard ones: columns with the texts that they must have. A table without the column has only
    /// rows of people's own.
    pub only: &'static [(&'static str, &'static [&'static str])],
    /// The columns by which a document is known again, where its name is a random one.
    pub identity: &'static [&'static str],
    /// What hangs below it.
    pub children: &'static [Child],
    /// Columns whose values are not kept.
    pub secrets: &'static [&'static str],
    /// Columns that hold addresses, in which passwords and tokens can stand.
    pub addresses: &'static [&'static str],
    /// What it is about: the first of these columns that has a value.
    pub about: &'static [&'static str],
    /// The column that holds its script or markup.
    pub script: Option<&'static str>,
}

const fn kind(doctype: &'static str) -> Kind {
    Kind {
        doctype,
        only: &[],
        identity: &[],
        children: &[],
        secrets: &[],
        addresses: &[],
        about: &[],
        script: None,
    }
}

const fn child(doctype: &'static str, field: &'static str, identity: &'static [&'static str]) -> Child {
    Child { doctype, field, identity, secrets: &[] }
}

type Only = &'static [(&'static str, &'static [&'static str])];

const OWN: Only = &[("is_system_generated", &["", "0"])];
const NOT_STANDARD: Only = &[("is_standard", &["", "0", "No"])];
const NOT_STANDARD_FORMAT: Only = &[("standard", &["", "0", "No"])];
const CUSTOM: Only = &[("custom", &["1"])];
const ROLES: Child = child("Has Role", "roles", &["role"]);

/// The kinds, by DocType.
pub const KINDS: &[Kind] = &[
    Kind {
        about: &["document_type"],
        children: &[
            child("Assignment Rule User", "users", &["user"]),
            child("Assignment Rule Day", "assignment_days", &["day"]),
        ],
        ..kind("Assignment Rule")
    },
    Kind { about: &["report"], ..kind("Auto Email Report") },
    Kind {
        identity: &["parent", "role", "permlevel", "if_owner"],
        about: &["parent"],
        ..kind("Custom DocPerm")
    },
    Kind { only: OWN, about: &["dt"], ..kind("Custom Field") },
    Kind { script: Some("script"), ..kind("Custom HTML Block") },
    Kind {
        identity: &["page", "report"],
        about: &["page", "report"],
        children: &[ROLES],
        ..kind("Custom Role")
    },
    Kind { about: &["dt"], script: Some("script"), ..kind("Client Script") },
    Kind {
        only: NOT_STANDARD,
        children: &[
            child("Dashboard Chart Link", "charts", &["chart"]),
            child("Number Card Link", "cards", &["card"]),
        ],
        about: &["module"],
        ..kind("Dashboard")
    },
    Kind {
        only: NOT_STANDARD,
        children: &[child("Dashboard Chart Field", "y_axis", &["y_field"]), ROLES],
        about: &["document_type", "report_name"],
        ..kind("Dashboard Chart")
    },
    Kind {
        only: CUSTOM,
        children: &[
            child("DocField", "fields", &["fieldname"]),
            child("DocPerm", "permissions", &["role", "permlevel", "if_owner"]),
            child("DocType Action", "actions", &["label"]),
            child("DocType Link", "links", &["link_doctype", "link_fieldname"]),
            child("DocType State", "states", &["title"]),
        ],
        about: &["module"],
        ..kind("DocType")
    },
    // Those that people add to DocTypes which are not their own.
    Kind { only: CUSTOM, identity: &["parent", "label"], about: &["parent"], ..kind("DocType Action") },
    Kind {
        only: CUSTOM,
        identity: &["parent", "link_doctype", "link_fieldname"],
        about: &["parent"],
        ..kind("DocType Link")
    },
    Kind { only: CUSTOM, identity: &["parent", "title"], about: &["parent"], ..kind("DocType State") },
    Kind {
        children: &[child("DocType Layout Field", "fields", &["fieldname"])],
        about: &["document_type"],
        ..kind("DocType Layout")
    },
    Kind {
        identity: &["document_type", "prefix", "priority"],
        children: &[child("Document Naming Rule Condition", "conditions", &["field", "condition", "value"])],
        about: &["document_type"],
        ..kind("Document Naming Rule")
    },
    Kind { about: &["subject"], script: Some("response_html"), ..kind("Email Template") },
    Kind {
        children: &[child("Kanban Board Column", "columns", &["column_name"])],
        about: &["reference_doctype"],
        ..kind("Kanban Board")
    },
    Kind { script: Some("content"), ..kind("Letter Head") },
    Kind { children: &[child("Block Module", "block_modules", &["module"])], ..kind("Module Profile") },
    Kind {
        only: NOT_STANDARD,
        children: &[child(
            "Notification Recipient",
            "recipients",
            &["receiver_by_document_field", "receiver_by_role", "cc", "bcc"],
        )],
        about: &["document_type"],
        script: Some("message"),
        ..kind("Notification")
    },
    Kind { only: NOT_STANDARD, about: &["document_type", "report_name"], ..kind("Number Card") },
    Kind { only: NOT_STANDARD_FORMAT, about: &["doc_type"], script: Some("html"), ..kind("Print Format") },
    Kind { only: NOT_STANDARD_FORMAT, script: Some("css"), ..kind("Print Style") },
    Kind { only: OWN, about: &["doc_type"], ..kind("Property Setter") },
    Kind {
        only: NOT_STANDARD,
        children: &[
            child("Report Column", "columns", &["fieldname"]),
            child("Report Filter", "filters", &["fieldname"]),
            ROLES,
        ],
        about: &["ref_doctype"],
        script: Some("report_script"),
        ..kind("Report")
    },
    kind("Role"),
    Kind { children: &[ROLES], ..kind("Role Profile") },
    Kind { about: &["reference_doctype", "script_type"], script: Some("script"), ..kind("Server Script") },
    Kind { identity: &["language", "source_text", "context"], about: &["language"], ..kind("Translation") },
    Kind {
        only: NOT_STANDARD,
        children: &[
            child("Web Form Field", "web_form_fields", &["fieldname", "label"]),
            child("Web Form List Column", "list_columns", &["fieldname"]),
        ],
        about: &["doc_type"],
        script: Some("client_script"),
        ..kind("Web Form")
    },
    Kind { about: &["route"], script: Some("main_section_html"), ..kind("Web Page") },
    Kind {
        children: &[
            Child { secrets: &["value"], ..child("Webhook Header", "webhook_headers", &["key"]) },
            child("Webhook Data", "webhook_data", &["key"]),
        ],
        secrets: &["webhook_secret"],
        addresses: &["request_url"],
        about: &["webhook_doctype"],
        script: Some("webhook_json"),
        ..kind("Webhook")
    },
    Kind { only: CUSTOM, ..kind("Website Theme") },
    Kind {
        children: &[
            child("Workflow Document State", "states", &["state", "allow_edit"]),
            child("Workflow Transition", "transitions", &["state", "action", "next_state", "allowed"]),
        ],
        about: &["document_type"],
        ..kind("Workflow")
    },
    kind("Workflow Action Master"),
    kind("Workflow State"),
];

/// The kind of a DocType.
#[must_use]
pub fn kind_of(doctype: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.doctype == doctype)
}

/// Whether a column's name says that nobody may read its value, whatever table it stands in.
pub(super) fn sounds_secret(column: &str) -> bool {
    ["password", "passwd", "secret", "api_key", "private_key", "access_token", "refresh_token", "auth_token"]
        .iter()
        .any(|word| column.contains(word))
}
